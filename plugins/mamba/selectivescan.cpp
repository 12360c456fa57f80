#include "selectivescan.h"

#include <algorithm>
#include <vector>

namespace lens::mamba {

namespace {

/// Tokens appended that change nothing: dt = 0 keeps the state.
at::Tensor padded(const at::Tensor &values, std::int64_t tokens)
{
    std::vector<std::int64_t> shape = values.sizes().vec();
    if (shape[1] == tokens)
        return values;
    shape[1] = tokens - shape[1];
    return at::cat({values, at::zeros(shape, values.options())}, 1);
}

/// What each token adds to the state: dt x B, [B,T,C,S].
at::Tensor additions(const at::Tensor &scaled, const at::Tensor &in)
{
    return scaled.unsqueeze(3) * in.unsqueeze(2);
}

/// Turns `states` [B,n,l,C,S], which holds what tokens add, into the states of n blocks that begin with nothing, and
/// `decay` into its products since each block began.
void advanceBlocks(at::Tensor &states, at::Tensor &decay)
{
    for (std::int64_t t = 1; t < states.size(2); ++t) {
        states.select(2, t).addcmul_(decay.select(2, t), states.select(2, t - 1));
        decay.select(2, t).mul_(decay.select(2, t - 1));
    }
}

void carryThroughBlocks(at::Tensor &states, const at::Tensor &decay, const at::Tensor &initial)
{
    const std::int64_t last = states.size(2) - 1;
    std::vector<at::Tensor> beginnings{initial};
    for (std::int64_t block = 0; block + 1 < states.size(1); ++block)
        beginnings.push_back(at::addcmul(states.select(1, block).select(1, last),
                                         decay.select(1, block).select(1, last), beginnings.back()));
    states.addcmul_(decay, at::stack(beginnings, 1).unsqueeze(2));
}

/// Implied attention of some groups of channels, a few rows at a time.
class AttentionRows {
public:
    AttentionRows(const ScanInput &input, const at::Tensor &A, std::int64_t group)
        : m_input(input), m_A(A), m_group(group),
          m_past(at::empty({input.x.size(0), input.tokens(), A.size(0), A.size(1)}, input.dt.options()))
    {
    }

    /// Of tokens [from, from + count) towards all up to themselves, [B,G,count,from + count]; `from` is where the
    /// call before ended.
    at::Tensor next(std::int64_t from, std::int64_t count)
    {
        const ScanInput part = m_input.slice(from, count);
        const at::Tensor elapsed = part.dt.cumsum(1);
        at::Tensor rows = within(part, elapsed);
        if (from > 0) {
            const at::Tensor queries = grouped(decays(elapsed, m_A) * part.out.unsqueeze(2));
            const at::Tensor past = at::matmul(queries, grouped(m_past.narrow(1, 0, from)).transpose(2, 3));
            rows = at::cat({past / static_cast<double>(m_group), rows}, 3);
            m_past.narrow(1, 0, from).mul_(decays(elapsed.narrow(1, count - 1, 1), m_A));
        }
        const at::Tensor left = elapsed.narrow(1, count - 1, 1) - elapsed;
        m_past.narrow(1, from, count).copy_(decays(left, m_A) * additions(part.dt, part.in));
        return rows;
    }

private:
    /// [B,T,C,S] -> [B,G,T,C/G*S]
    at::Tensor grouped(const at::Tensor &values) const
    {
        return values.unflatten(2, {-1, m_group}).flatten(3).transpose(1, 2);
    }

    /// Between tokens of one part, from every pair's own elapsed time.
    at::Tensor within(const ScanInput &part, const at::Tensor &elapsed) const
    {
        const std::int64_t count = part.tokens();
        const at::Tensor between = (elapsed.unsqueeze(2) - elapsed.unsqueeze(1)).clamp_min(0);  // [B,i,j,C]
        at::Tensor pairs = at::exp(between.unsqueeze(4) * m_A);
        pairs = pairs * part.dt.unsqueeze(1).unsqueeze(4);
        pairs = pairs * (part.out.unsqueeze(2) * part.in.unsqueeze(1)).unsqueeze(3);
        const at::Tensor order = at::arange(count, part.dt.options());
        const at::Tensor seen = (order.unsqueeze(1) >= order).to(at::kFloat);
        return pairs.unflatten(3, {-1, m_group}).flatten(4).sum(4).permute({0, 3, 1, 2}) * seen
               / static_cast<double>(m_group);
    }

    const ScanInput &m_input;
    at::Tensor m_A;
    std::int64_t m_group;
    at::Tensor m_past;  ///< [B,T,C,S]: what the tokens so far have left in the state by now, per unit of x
};

} // namespace

ScanInput ScanInput::slice(std::int64_t from, std::int64_t count) const
{
    return {x.narrow(1, from, count), dt.narrow(1, from, count), in.narrow(1, from, count), out.narrow(1, from, count)};
}

at::Tensor decays(const at::Tensor &dt, const at::Tensor &A)
{
    return (dt.unsqueeze(3) * A).exp_();
}

ScanResult scan(const ScanInput &input, const at::Tensor &A, const at::Tensor &initial, std::int64_t blocks)
{
    const std::int64_t tokens = input.tokens();
    const std::int64_t length = (tokens + blocks - 1) / std::max<std::int64_t>(1, blocks);
    blocks = (tokens + length - 1) / length;
    const auto inBlocks = [&](const at::Tensor &values) { return padded(values, blocks * length); };
    const at::Tensor dt = inBlocks(input.dt);
    at::Tensor decay = decays(dt, A).unflatten(1, {blocks, length});
    at::Tensor states = additions(dt * inBlocks(input.x), inBlocks(input.in)).unflatten(1, {blocks, length});
    if (blocks == 1) {
        at::Tensor before = initial;
        for (std::int64_t t = 0; t < length; ++t)
            before = states.select(1, 0).select(1, t).addcmul_(decay.select(1, 0).select(1, t), before);
    } else {
        advanceBlocks(states, decay);
        carryThroughBlocks(states, decay, initial);
    }
    states = states.flatten(1, 2).narrow(1, 0, tokens);
    return {at::matmul(states, input.out.unsqueeze(3)).squeeze(3), states};
}

at::Tensor impliedAttention(const ScanInput &input, const at::Tensor &A, std::int64_t group,
                            const std::function<void()> &proceed)
{
    constexpr std::int64_t rowsAtOnce = 16, mostElements = std::int64_t{1} << 23;
    const std::int64_t batch = input.x.size(0), tokens = input.tokens(), groups = A.size(0) / group;
    const std::int64_t groupElements = batch * std::max(tokens, rowsAtOnce * rowsAtOnce) * group * A.size(1);
    const std::int64_t groupsAtOnce = std::clamp<std::int64_t>(mostElements / groupElements, 1, groups);
    at::Tensor weights = at::zeros({batch, groups, tokens, tokens}, input.dt.options());
    for (std::int64_t first = 0; first < groups; first += groupsAtOnce) {
        const std::int64_t some = std::min(groupsAtOnce, groups - first);
        const auto channels = [&](const at::Tensor &values, std::int64_t dimension) {
            return values.narrow(dimension, first * group, some * group);
        };
        const ScanInput part{channels(input.x, 2), channels(input.dt, 2), input.in, input.out};
        AttentionRows rows(part, channels(A, 0), group);
        for (std::int64_t from = 0; from < tokens; from += rowsAtOnce) {
            proceed();
            const std::int64_t count = std::min(rowsAtOnce, tokens - from);
            weights.narrow(1, first, some).narrow(2, from, count).narrow(3, 0, from + count).copy_(rows.next(from, count));
        }
    }
    return weights;
}

} // namespace lens::mamba
