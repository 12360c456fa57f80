#include "mixer/linearforms.h"

namespace lens {

namespace {

/// gamma^e for e = first, first + step, ..., n values: [1,H,n,1].
at::Tensor decayPowers(const at::Tensor &logGamma, const at::Tensor &exponents)
{
    return at::outer(logGamma, exponents).exp().unsqueeze(0).unsqueeze(-1);
}

/// S' = gamma^n S + sum_j gamma^(n-j) k_j v_j^T.
at::Tensor advance(const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, const at::Tensor &S)
{
    const std::int64_t n = k.size(2);
    const at::Tensor toEnd = decayPowers(logGamma, at::arange(n - 1, -1, -1, logGamma.options()));
    const at::Tensor whole = (logGamma * static_cast<double>(n)).exp().view({1, -1, 1, 1});
    return whole * S + at::matmul((k * toEnd).transpose(-1, -2), v);
}

/// ||S_t||_F^2 from the norm before, c_t = k_t^T S_{t-1} v_t and |k_t|^2 |v_t|^2; a scalar recurrence per head.
at::Tensor scanNorms(at::Tensor &square, const at::Tensor &cross, const at::Tensor &own, const at::Tensor &gamma)
{
    std::vector<at::Tensor> squares;
    for (std::int64_t t = 0; t < cross.size(2); ++t) {
        square = (gamma * (gamma * square + 2 * cross.select(2, t)) + own.select(2, t)).clamp_min(0);
        squares.push_back(square);
    }
    return at::stack(squares, 2);
}

} // namespace

at::Tensor decayMask(const at::Tensor &logGamma, std::int64_t n)
{
    const at::Tensor index = at::arange(n, logGamma.options());
    const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
    // Clamped before exp: above the diagonal exp could overflow, and inf * 0 is NaN.
    const at::Tensor mask = (logGamma.view({-1, 1, 1}) * distance.clamp_min(0)).exp();
    return mask * (distance >= 0);
}

at::Tensor attendChunk(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S)
{
    const std::int64_t n = q.size(2);
    const at::Tensor fromStart = decayPowers(logGamma, at::arange(1, n + 1, logGamma.options()));
    const at::Tensor within = at::matmul(q, k.transpose(-1, -2)) * decayMask(logGamma, n);
    const at::Tensor output = at::matmul(within, v) + at::matmul(q * fromStart, S);
    S = advance(k, v, logGamma, S);
    return output;
}

at::Tensor attendChunked(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma,
                         at::Tensor &S, std::int64_t chunk)
{
    const std::int64_t tokens = q.size(2);
    if (tokens <= chunk)
        return attendChunk(q, k, v, logGamma, S);
    std::vector<at::Tensor> outputs;
    for (std::int64_t first = 0; first < tokens; first += chunk) {
        const std::int64_t n = std::min(chunk, tokens - first);
        outputs.push_back(attendChunk(q.narrow(2, first, n), k.narrow(2, first, n), v.narrow(2, first, n), logGamma, S));
    }
    return at::cat(outputs, 2);
}

at::Tensor stateNorms(const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, const at::Tensor &S,
                      std::int64_t chunk)
{
    // Double precision: the recurrence subtracts where keys of opposite sign cancel.
    const at::Tensor keys = k.to(at::kDouble), values = v.to(at::kDouble), slopes = logGamma.to(at::kDouble);
    const at::Tensor gamma = slopes.exp().unsqueeze(0);
    at::Tensor state = S.to(at::kDouble);
    at::Tensor square = state.square().sum({-2, -1});
    std::vector<at::Tensor> squares;
    for (std::int64_t first = 0; first < k.size(2); first += chunk) {
        const std::int64_t n = std::min(chunk, k.size(2) - first);
        const at::Tensor ks = keys.narrow(2, first, n), vs = values.narrow(2, first, n);
        // k_t^T S_{t-1} v_t, S_{t-1} = gamma^(t-1) S + sum_{j<t} gamma^(t-1-j) k_j v_j^T with t = 1..n in the chunk.
        const at::Tensor mask = decayMask(slopes, n);
        const at::Tensor before = at::cat({at::zeros_like(mask.narrow(1, 0, 1)), mask.narrow(1, 0, n - 1)}, 1);
        const at::Tensor products = at::matmul(ks, ks.transpose(-1, -2)) * at::matmul(vs, vs.transpose(-1, -2));
        const at::Tensor entering = at::matmul(ks, state).mul(vs).sum(-1)
                                    * at::outer(slopes, at::arange(0, n, slopes.options())).exp();
        const at::Tensor cross = (products * before).sum(-1) + entering;
        const at::Tensor own = ks.square().sum(-1) * vs.square().sum(-1);
        squares.push_back(scanNorms(square, cross, own, gamma));
        state = advance(ks, vs, slopes, state);
    }
    return at::cat(squares, 2).sqrt().to(at::kFloat);
}

} // namespace lens
