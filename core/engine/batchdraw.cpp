#include "engine/batchdraw.h"

#include <algorithm>

namespace lens {

namespace {

/// The most probable tokens that are looked at first: top-p rarely needs more, and sorting a vocabulary takes longer
/// than computing its logits.
constexpr std::int64_t kFirstTry = 128;
constexpr std::int64_t kNextTries = 32;  // times as many

/// Tokens whose probabilities are added up first when all of them count: walking through a whole vocabulary one by one
/// takes longer than computing its logits.
constexpr std::int64_t kBlock = 256;

/// For each row of cumulated weights [N,K], the first place beyond `target` [N,1]; never one without weight.
at::Tensor placeOf(const at::Tensor &cumulated, const at::Tensor &target)
{
    const at::Tensor last = cumulated.narrow(1, cumulated.size(1) - 1, 1);
    return at::searchsorted(cumulated, at::minimum(target, last * (1 - 1e-12)), false, true);
}

/// From the whole distribution, walked through in the order of ids. `norm` [N,1]: the logarithm of the sum of weights.
at::Tensor drawFromAll(const at::Tensor &scaled, const at::Tensor &norm, const at::Tensor &uniform)
{
    const std::int64_t rows = scaled.size(0), missing = (kBlock - scaled.size(1) % kBlock) % kBlock;
    const at::Tensor weights = at::constant_pad_nd((scaled - norm).exp(), {0, missing}).view({rows, -1, kBlock});
    const at::Tensor sums = weights.sum(-1, false, at::kDouble);
    const at::Tensor cumulated = sums.cumsum(-1);
    const at::Tensor target = uniform * cumulated.narrow(1, cumulated.size(1) - 1, 1);
    const at::Tensor block = placeOf(cumulated, target);
    const at::Tensor before = cumulated.gather(1, block) - sums.gather(1, block);
    const at::Tensor inside = weights.gather(1, block.unsqueeze(2).expand({rows, 1, kBlock})).squeeze(1);
    return block * kBlock + placeOf(inside.cumsum(-1, at::kDouble), target - before);
}

/// From the most probable tokens, `wanted` of which are looked at; rows of which these hold less than topP are tried
/// again with more.
at::Tensor drawFromMostProbable(const at::Tensor &scaled, const at::Tensor &norm, const at::Tensor &uniform, int topK,
                                double topP, std::int64_t wanted)
{
    const std::int64_t vocabulary = scaled.size(1);
    const std::int64_t count = std::min<std::int64_t>(topK > 0 ? topK : wanted, vocabulary);
    const auto [values, ids] = scaled.topk(count, -1, true, true);
    const at::Tensor weights = (values - (topK > 0 ? values.logsumexp(-1, true) : norm)).exp().to(at::kDouble);
    const at::Tensor cumulated = weights.cumsum(-1);
    const at::Tensor kept = (cumulated - weights).lt(topP);
    kept.select(1, 0).fill_(true);
    const at::Tensor total = (weights * kept).sum(-1, true);
    at::Tensor chosen = ids.gather(1, placeOf(cumulated, uniform * total));
    if (topK > 0 || count == vocabulary)
        return chosen;
    const at::Tensor unfinished = cumulated.select(1, count - 1).lt(topP).nonzero().flatten();
    if (unfinished.numel() > 0) {
        const auto rows = [&](const at::Tensor &all) { return all.index_select(0, unfinished); };
        chosen.index_copy_(0, unfinished, drawFromMostProbable(rows(scaled), rows(norm), rows(uniform), topK, topP,
                                                               count * kNextTries));
    }
    return chosen;
}

/// [N,1]; 1 for rows of temperature 0, of which the greatest logit is taken.
at::Tensor temperatures(std::span<const Draw> draws)
{
    std::vector<float> values;
    for (const Draw &draw : draws)
        values.push_back(draw.temperature > 0 ? static_cast<float>(draw.temperature) : 1.0f);
    return at::tensor(values, at::kFloat).unsqueeze(1);
}

at::Tensor uniforms(std::span<const Draw> draws)
{
    std::vector<double> values;
    for (const Draw &draw : draws)
        values.push_back(draw.uniform);
    return at::tensor(values, at::kDouble).unsqueeze(1);
}

} // namespace

Result<std::vector<TokenId>> drawTokens(const at::Tensor &logits, std::span<const Draw> draws, int topK, double topP)
{
    const auto isGreedy = [](const Draw &draw) { return draw.temperature <= 0; };
    const at::Tensor scaled = logits / temperatures(draws).to(logits.device());
    const at::Tensor norm = scaled.logsumexp(-1, true);
    if (!norm.isfinite().all().item<bool>())
        return fail(ErrorCode::Internal, "the model's logits are not finite numbers", {},
                    "the weights may be damaged, or need a wider dtype such as float32");
    at::Tensor greedy, drawn;
    if (std::ranges::any_of(draws, isGreedy))
        greedy = scaled.argmax(-1).cpu();
    if (!std::ranges::all_of(draws, isGreedy)) {
        const at::Tensor uniform = uniforms(draws).to(logits.device());
        drawn = topK > 0 || topP < 1 ? drawFromMostProbable(scaled, norm, uniform, topK, topP, kFirstTry)
                                     : drawFromAll(scaled, norm, uniform);
        drawn = drawn.flatten().cpu();
    }
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < draws.size(); ++i)
        ids.push_back(static_cast<TokenId>((isGreedy(draws[i]) ? greedy : drawn).const_data_ptr<std::int64_t>()[i]));
    return ids;
}

} // namespace lens
