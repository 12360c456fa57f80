#include "wkv4.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace lens::rwkv {

namespace {

constexpr double kNothing = -1e38;            ///< the exponent of an empty sum
constexpr std::int64_t kAttentionElements = std::int64_t{1} << 22;  ///< of one tensor while weights are computed

ScaledSums sum(const ScaledSums &x, const ScaledSums &y)
{
    const at::Tensor pp = at::maximum(x.pp, y.pp);
    const at::Tensor ofX = at::exp(x.pp - pp), ofY = at::exp(y.pp - pp);
    return {x.aa * ofX + y.aa * ofY, x.bb * ofX + y.bb * ofY, pp};
}

template <class Change>
ScaledSums each(const ScaledSums &sums, Change &&change)
{
    return {change(sums.aa), change(sums.bb), change(sums.pp)};
}

ScaledSums slice(const ScaledSums &sums, std::int64_t start, std::int64_t count)
{
    return each(sums, [&](const at::Tensor &x) { return x.narrow(1, start, count); });
}

/// 1, 2, ..., n as [n,1].
at::Tensor stepsTo(std::int64_t n, const at::TensorOptions &options)
{
    return at::arange(1, n + 1, options).unsqueeze(1);
}

ScaledSums joined(const std::vector<ScaledSums> &parts)
{
    std::vector<at::Tensor> aa, bb, pp;
    for (const ScaledSums &part : parts) {
        aa.push_back(part.aa);
        bb.push_back(part.bb);
        pp.push_back(part.pp);
    }
    return {at::cat(aa, 1), at::cat(bb, 1), at::cat(pp, 1)};
}

} // namespace

ScaledSums Wkv4::decayed(const ScaledSums &sums, const at::Tensor &steps) const
{
    return {sums.aa, sums.bb, sums.pp + m_logDecay * steps};
}

// A scan by halves: in blocks of 2h, the tokens of the second half add the sums that the first half ended with.
ScaledSums Wkv4::sumsWithin(const at::Tensor &k, const at::Tensor &v) const
{
    const std::int64_t tokens = k.size(1);
    const auto size = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(tokens)));
    const std::vector<std::int64_t> missing{k.size(0), size - tokens, k.size(2)};
    const ScaledSums all{at::cat({v, at::zeros(missing, v.options())}, 1), at::ones({k.size(0), size, k.size(2)}, k.options()),
                         at::cat({k, at::full(missing, kNothing, k.options())}, 1)};
    for (std::int64_t half = 1; half < size; half *= 2) {
        const ScaledSums blocks = each(all, [&](const at::Tensor &x) {
            return x.view({x.size(0), size / (2 * half), 2 * half, x.size(2)});
        });
        const auto part = [&](std::int64_t start, std::int64_t count) {
            return each(blocks, [&](const at::Tensor &x) { return x.narrow(2, start, count); });
        };
        const ScaledSums second = part(half, half);
        const ScaledSums whole = sum(decayed(part(half - 1, 1), stepsTo(half, k.options())), second);
        second.aa.copy_(whole.aa);
        second.bb.copy_(whole.bb);
        second.pp.copy_(whole.pp);
    }
    return slice(all, 0, tokens);
}

at::Tensor Wkv4::forward(const at::Tensor &k, const at::Tensor &v, ScaledSums &sums, const Execution &execution,
                         const std::function<void()> &onStep, ScaledSums *trace) const
{
    const std::int64_t tokens = k.size(1);
    const std::int64_t chunk = execution.form == Execution::Form::Recurrent  ? 1
                               : execution.form == Execution::Form::Parallel ? tokens
                                                                             : std::clamp<std::int64_t>(execution.chunk, 1, tokens);
    std::vector<at::Tensor> outputs;
    std::vector<ScaledSums> traced;
    ScaledSums carried = each(sums, [](const at::Tensor &x) { return x.unsqueeze(1); });
    for (std::int64_t start = 0; start < tokens; start += chunk) {
        onStep();
        const std::int64_t count = std::min(chunk, tokens - start);
        const at::Tensor keys = k.narrow(1, start, count), values = v.narrow(1, start, count);
        const ScaledSums after = sum(decayed(carried, stepsTo(count, k.options())), sumsWithin(keys, values));
        const ScaledSums before = count == 1 ? carried : joined({carried, slice(after, 0, count - 1)});
        const ScaledSums read = sum(before, {values, at::ones_like(values), keys + m_bonus});
        outputs.push_back(read.aa / read.bb);
        if (trace)
            traced.push_back(before);
        carried = slice(after, count - 1, 1);
    }
    sums = each(carried, [](const at::Tensor &x) { return x.squeeze(1).clone(); });
    if (trace)
        *trace = joined(traced);
    return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 1);
}

Wkv4::Norms Wkv4::norms(const ScaledSums &before, const ScaledSums &after, std::int64_t groups) const
{
    const std::int64_t batch = before.aa.size(0), tokens = before.aa.size(1);
    const auto grouped = [&](const at::Tensor &x) { return x.view({batch, -1, groups, m_logDecay.size(0) / groups}); };
    const at::Tensor aa = grouped(at::cat({before.aa, after.aa.unsqueeze(1)}, 1));
    const at::Tensor pp = grouped(at::cat({before.pp, after.pp.unsqueeze(1)}, 1));
    const at::Tensor largest = at::amax(pp, {-1}, true);
    const at::Tensor scaled = aa * at::exp(pp - largest);
    const at::Tensor left = scaled * at::exp(m_logDecay).view({groups, -1});
    const auto norm = [](const at::Tensor &x) { return x.square().sum(-1).sqrt(); };
    const at::Tensor norms = norm(scaled), exponents = largest.squeeze(-1);
    const at::Tensor state = norms.narrow(1, 1, tokens) * at::exp(exponents.narrow(1, 1, tokens));
    const at::Tensor retention = norm(left).narrow(1, 0, tokens) / norms.narrow(1, 0, tokens);
    return {state.transpose(1, 2), retention.transpose(1, 2)};
}

at::Tensor Wkv4::attention(const at::Tensor &k, const ScaledSums &before, std::int64_t groups,
                           const std::function<void()> &onStep) const
{
    const std::int64_t batch = k.size(0), tokens = k.size(1), channels = k.size(2) / groups;
    const ScaledSums read = sum(before, {at::zeros_like(k), at::ones_like(k), k + m_bonus});
    const at::Tensor logTotal = read.pp + at::log(read.bb);
    const at::Tensor own = at::exp(k + m_bonus - logTotal).view({batch, tokens, groups, channels}).mean(-1);
    const at::Tensor positions = at::arange(tokens, k.options());
    const std::int64_t rows = std::clamp<std::int64_t>(kAttentionElements / (batch * tokens * channels), 1, tokens);
    at::Tensor A = at::empty({batch, groups, tokens, tokens}, k.options());
    for (std::int64_t group = 0; group < groups; ++group) {
        const auto channelsOf = [&](const at::Tensor &x) { return x.narrow(-1, group * channels, channels); };
        const at::Tensor keys = channelsOf(k).unsqueeze(1), decay = channelsOf(m_logDecay);
        for (std::int64_t start = 0; start < tokens; start += rows) {
            onStep();
            const std::int64_t count = std::min(rows, tokens - start);
            const at::Tensor steps = positions.narrow(0, start, count).unsqueeze(1) - positions.unsqueeze(0) - 1;
            const at::Tensor isLater = (steps < 0).to(at::kFloat).unsqueeze(-1);
            const at::Tensor exponents = keys + steps.clamp_min(0).unsqueeze(-1) * decay
                                         - channelsOf(logTotal).narrow(1, start, count).unsqueeze(2);
            A.select(1, group).narrow(1, start, count).copy_(at::exp(exponents.clamp_max(0) + isLater * kNothing).mean(-1));
        }
    }
    A.diagonal(0, 2, 3).copy_(own.transpose(1, 2));
    return A;
}

} // namespace lens::rwkv
