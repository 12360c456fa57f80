#include "wkv5.h"

#include <algorithm>
#include <bit>

namespace lens::rwkv {

namespace {

std::int64_t powerOfTwoFrom(std::int64_t n)
{
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

/// Zeros after the last token, up to a multiple of `multiple`.
at::Tensor padded(const at::Tensor &x, std::int64_t multiple)
{
    const std::int64_t missing = (multiple - x.size(2) % multiple) % multiple;
    if (missing == 0)
        return x.contiguous();
    return at::cat({x, at::zeros({x.size(0), x.size(1), missing, x.size(3)}, x.options())}, 2);
}

/// [B,H,T,N] to [B,H,T/n,n,N].
at::Tensor inBlocks(const at::Tensor &x, std::int64_t n)
{
    return x.view({x.size(0), x.size(1), x.size(2) / n, n, x.size(3)});
}

} // namespace

Wkv5::Wkv5(const at::Tensor &logDecay, const at::Tensor &bonus, std::int64_t channels)
    : m_logDecay(logDecay.expand({logDecay.size(0), channels}).unsqueeze(1).contiguous()),
      m_bonus(bonus.expand({bonus.size(0), channels}).unsqueeze(1).contiguous())
{
}

at::Tensor Wkv5::powers(std::int64_t first, std::int64_t step, std::int64_t count) const
{
    const at::Tensor exponents = at::arange(count, m_logDecay.options()) * static_cast<double>(step) + static_cast<double>(first);
    return at::exp(m_logDecay * exponents.unsqueeze(1));
}

at::Tensor Wkv5::bonusOf(const at::Tensor &r, const at::Tensor &k) const
{
    return (r * m_bonus * k).sum(-1, true);
}

// Inside a chunk of 2^n tokens, all pairs (i, j) with j < i are split by the blocks of 2h in which i lies in the second
// half and j in the first: with s the first token of the second half, w^(i-1-j) = w^(i-s) w^(s-1-j), both exponents
// from 0 to h-1. One product of matrices for each h, over all blocks of the whole sequence at once.
at::Tensor Wkv5::forward(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, at::Tensor &S,
                         const Execution &execution, const std::function<void()> &onStep) const
{
    const std::int64_t tokens = r.size(2);
    if (execution.form == Execution::Form::Recurrent || tokens == 1)
        return recurrent(r, k, v, S, onStep);
    const bool isWhole = execution.form == Execution::Form::Parallel || execution.chunk >= tokens;
    const std::int64_t chunk = powerOfTwoFrom(isWhole ? tokens : std::max<std::int64_t>(execution.chunk, 1));
    const at::Tensor rows = padded(r, chunk), keys = padded(k, chunk), values = padded(v, chunk);
    at::Tensor o = bonusOf(rows, keys) * values;
    for (std::int64_t half = 1; half < chunk; half *= 2) {
        onStep();
        const at::Tensor later = inBlocks(rows, 2 * half).narrow(3, half, half) * powers(0, 1, half).unsqueeze(1);
        const at::Tensor earlier = inBlocks(keys, 2 * half).narrow(3, 0, half) * powers(half - 1, -1, half).unsqueeze(1);
        const at::Tensor scores = at::matmul(later, earlier.transpose(-1, -2));
        inBlocks(o, 2 * half).narrow(3, half, half).add_(at::matmul(scores, inBlocks(values, 2 * half).narrow(3, 0, half)));
    }
    for (std::int64_t start = 0; start < tokens; start += chunk) {
        onStep();
        const std::int64_t count = std::min(chunk, tokens - start);
        o.narrow(2, start, count).add_(at::matmul(r.narrow(2, start, count) * powers(0, 1, count), S));
        const at::Tensor carried = k.narrow(2, start, count) * powers(count - 1, -1, count);
        S = S * powers(count, 0, 1).transpose(1, 2) + at::matmul(carried.transpose(-1, -2), v.narrow(2, start, count));
    }
    return o.narrow(2, 0, tokens);
}

at::Tensor Wkv5::recurrent(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, at::Tensor &S,
                           const std::function<void()> &onStep) const
{
    const at::Tensor decay = at::exp(m_logDecay).transpose(1, 2);
    const at::Tensor bonus = bonusOf(r, k) * v;
    std::vector<at::Tensor> outputs;
    for (std::int64_t t = 0; t < r.size(2); ++t) {
        onStep();
        outputs.push_back(at::matmul(r.narrow(2, t, 1), S));
        S = at::addcmul(S * decay, k.narrow(2, t, 1).transpose(-1, -2), v.narrow(2, t, 1));
    }
    return (outputs.size() == 1 ? outputs.front() : at::cat(outputs, 2)) + bonus;
}

at::Tensor Wkv5::attention(const at::Tensor &r, const at::Tensor &k) const
{
    const std::int64_t tokens = r.size(2), size = powerOfTwoFrom(tokens);
    const at::Tensor rows = padded(r, size), keys = padded(k, size);
    at::Tensor A = at::zeros({r.size(0), r.size(1), size, size}, r.options());
    A.diagonal(0, 2, 3).copy_(bonusOf(rows, keys).squeeze(-1));
    for (std::int64_t half = 1; half < size; half *= 2) {
        const std::int64_t blocks = size / (2 * half);
        const at::Tensor later = inBlocks(rows, 2 * half).narrow(3, half, half) * powers(0, 1, half).unsqueeze(1);
        const at::Tensor earlier = inBlocks(keys, 2 * half).narrow(3, 0, half) * powers(half - 1, -1, half).unsqueeze(1);
        const at::Tensor scores = at::matmul(later, earlier.transpose(-1, -2));
        A.view({A.size(0), A.size(1), blocks, 2 * half, blocks, 2 * half}).diagonal(0, 2, 4).narrow(2, half, half)
            .narrow(3, 0, half).copy_(scores.permute({0, 1, 3, 4, 2}));
    }
    return A.narrow(2, 0, tokens).narrow(3, 0, tokens);
}

Wkv5::Norms Wkv5::norms(const at::Tensor &k, const at::Tensor &v, at::Tensor S, const std::function<void()> &onStep) const
{
    const at::Tensor decay = at::exp(m_logDecay).transpose(1, 2);
    const auto norm = [](const at::Tensor &X) { return X.square().sum({2, 3}).sqrt(); };
    std::vector<at::Tensor> states, decayed;
    at::Tensor before = norm(S);
    for (std::int64_t t = 0; t < k.size(2); ++t) {
        onStep();
        S = S * decay;
        decayed.push_back(norm(S) / before);
        S = at::addcmul(S, k.narrow(2, t, 1).transpose(-1, -2), v.narrow(2, t, 1));
        states.push_back(before = norm(S));
    }
    return {at::stack(states, 2), at::stack(decayed, 2)};
}

} // namespace lens::rwkv
