#include "engine/devicesampler.h"

#include "engine/sampler.h"
#include "tensor/hosttransfer.h"

#include <algorithm>
#include <limits>

namespace lens {

namespace {

constexpr double lowest = -std::numeric_limits<double>::infinity();

/// Where a report holds what; the alternatives' ids and then their log-probabilities follow. Ids are exact in float64.
enum Field : std::int64_t { Id, Logprob, NotFinite, Greatest, Alternatives };

bool hasPenalties(const SamplingOptions &options)
{
    return options.repetitionPenalty != 1.0 || options.frequencyPenalty != 0.0 || options.presencePenalty != 0.0;
}

/// Most probable first, equals by id.
std::tuple<at::Tensor, at::Tensor> sorted(const at::Tensor &values)
{
    constexpr bool stable = true, descending = true;
    return values.sort(stable, 0, descending);
}

/// [1]. at::logsumexp() has no meta form.
at::Tensor logSumExp(const at::Tensor &values)
{
    const at::Tensor greatest = values.amax({0}, true);
    return greatest + (values - greatest).exp().sum({0}, true).log();
}

/// The first place at which the weights add up to more than this share of all.
at::Tensor placeOf(const at::Tensor &weights, double share)
{
    constexpr bool keepDimension = true;
    const at::Tensor sums = weights.cumsum(0);
    const at::Tensor total = sums.narrow(0, sums.size(0) - 1, 1);
    // The second is the last place that has a weight: rounding may leave a sliver above the sum.
    return at::minimum((sums <= total * share).sum({0}, keepDimension), (sums < total).sum({0}, keepDimension));
}

} // namespace

DeviceSampler::DeviceSampler(const SamplingOptions &options, std::span<const TokenId> text, const at::Tensor &like,
                             std::int64_t usable, std::int64_t alternatives)
    : m_options(options), m_position(text.size()), m_usable(usable), m_alternatives(std::min(alternatives, usable)),
      m_allowed(usable)
{
    if (hasPenalties(options))
        m_counts.emplace(text, static_cast<std::size_t>(options.penaltyWindow), like.numel(),
                         like.options().dtype(at::kDouble));
    if (options.logitBias.empty())
        return;
    std::vector<double> bias(static_cast<std::size_t>(usable), 0.0);
    for (const auto &[id, value] : options.logitBias)
        if (id < usable)
            bias[static_cast<std::size_t>(id)] += value;
    m_allowed -= std::ranges::count(bias, lowest);
    m_bias = sentTo(like.device(), at::tensor(bias, at::kDouble));
}

DeviceSampler::Choice DeviceSampler::choose(const at::Tensor &logits)
{
    const at::Tensor values = adjusted(logits.narrow(0, 0, m_usable).to(at::kDouble));
    const at::Tensor id = m_options.temperature == 0 ? values.argmax(0, true)
                                                     : draw(values, uniformAt(m_options.seed, m_position));
    Choice choice{id, report(logits, id, values)};
    ++m_position;
    if (m_counts)
        m_counts->add(id);
    return choice;
}

/// With bias and penalties.
at::Tensor DeviceSampler::adjusted(const at::Tensor &logits) const
{
    const at::Tensor biased = m_bias.defined() ? logits + m_bias : logits;
    if (!m_counts)
        return biased;
    const at::Tensor counts = m_counts->counts().narrow(0, 0, m_usable), seen = counts.clamp_max(1);
    // 1 for what was not seen. Products and not a choice between two tensors, since those have no meta form.
    const at::Tensor factor = seen * m_options.repetitionPenalty + (1 - seen);
    return biased.clamp_min(0) / factor + biased.clamp_max(0) * factor
           - (counts * m_options.frequencyPenalty + seen * m_options.presencePenalty);
}

at::Tensor DeviceSampler::draw(const at::Tensor &adjusted, double uniform) const
{
    // That of the best is one.
    const at::Tensor all = ((adjusted - adjusted.amax({0}, true)) / m_options.temperature).exp();
    const auto likelyEnough = [&](const at::Tensor &weights) {
        return m_options.minP > 0 ? weights * (weights >= m_options.minP) : weights;
    };
    const bool hasTopK = m_options.topK > 0 && m_options.topK < m_allowed;
    if (!hasTopK && m_options.topP >= 1)
        return placeOf(likelyEnough(all), uniform);

    const at::Tensor order = std::get<1>(sorted(adjusted)).narrow(0, 0, hasTopK ? m_options.topK : m_usable);
    at::Tensor weights = all.gather(0, order);
    if (m_options.topP < 1) {
        const at::Tensor sums = weights.cumsum(0);
        const at::Tensor before = at::constant_pad_nd(sums.narrow(0, 0, sums.size(0) - 1), {1, 0});
        weights = weights * (before < m_options.topP * weights.sum());
    }
    return order.gather(0, placeOf(likelyEnough(weights), uniform));
}

at::Tensor DeviceSampler::report(const at::Tensor &logits, const at::Tensor &id, const at::Tensor &adjusted) const
{
    const at::Tensor normaliser = logSumExp(logits.to(at::kDouble));
    const at::Tensor usable = logits.narrow(0, 0, m_usable);
    // The first id whose logit is not finite; beyond all when there is none.
    const at::Tensor backwards = at::arange(m_usable, 0, -1, adjusted.options());
    const at::Tensor notFinite = m_usable - (backwards * (usable - usable != 0)).amax({0}, true);
    std::vector<at::Tensor> parts{id.to(at::kDouble), usable.gather(0, id) - normaliser, notFinite,
                                  adjusted.amax({0}, true)};
    if (m_alternatives > 0) {
        const auto [values, ids] = sorted(usable);
        parts.push_back(ids.narrow(0, 0, m_alternatives).to(at::kDouble));
        parts.push_back(values.narrow(0, 0, m_alternatives) - normaliser);
    }
    return at::cat(parts);
}

Result<ChosenToken> DeviceSampler::read(const at::Tensor &report, std::size_t position) const
{
    const double *fields = report.const_data_ptr<double>();
    if (fields[NotFinite] < static_cast<double>(m_usable))
        return logitNotFinite(static_cast<TokenId>(fields[NotFinite]), position);
    if (fields[Greatest] == lowest)
        return everyTokenForbidden();
    ChosenToken chosen{static_cast<TokenId>(fields[Id]), static_cast<float>(fields[Logprob]), {}, 0};
    const double *ids = fields + Alternatives, *logprobs = ids + m_alternatives;
    for (std::int64_t i = 0; i < m_alternatives; ++i)
        chosen.alternatives.emplace_back(static_cast<TokenId>(ids[i]), static_cast<float>(logprobs[i]));
    return chosen;
}

} // namespace lens
