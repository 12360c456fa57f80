// RWKV-5's linear attention with a fixed decay w per key channel and a bonus u for the current token, for each head:
//   o_t = r_t^T (S_{t-1} + diag(u) k_t v_t^T),   S_t = diag(w) S_{t-1} + k_t v_t^T
// (Peng et al. 2024, arXiv 2404.05892, "Eagle"). All exponents of w are >= 0, w^-j is never formed.
//
// Shapes: r, k, v [B,H,T,N], S [B,H,N,N] (row = key channel), all float32.
#pragma once

#include "mixer/sequencemixer.h"

#include <functional>

namespace lens::rwkv {

class Wkv5 {
public:
    /// `logDecay` = log w <= 0 and `bonus` = u, both [H,N] or [H,1]; `channels` = N.
    Wkv5(const at::Tensor &logDecay, const at::Tensor &bonus, std::int64_t channels);

    /// o [B,H,T,N], and S after the last token. `onStep` is called before each token or chunk and may throw.
    at::Tensor forward(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, at::Tensor &S,
                       const Execution &execution, const std::function<void()> &onStep) const;

    /// A [B,H,T,T] with o_i = sum_j A_ij v_j for a sequence that begins with S = 0.
    at::Tensor attention(const at::Tensor &r, const at::Tensor &k) const;

    struct Norms {
        at::Tensor state;      ///< ||S_t|| [B,H,T]
        at::Tensor retention;  ///< ||diag(w) S_{t-1}|| / ||S_{t-1}|| [B,H,T], NaN where S_{t-1} is zero
    };

    /// For a sequence entered with state S, which stays as it is.
    Norms norms(const at::Tensor &k, const at::Tensor &v, at::Tensor S, const std::function<void()> &onStep) const;

private:
    at::Tensor recurrent(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, at::Tensor &S,
                         const std::function<void()> &onStep) const;

    /// w^first, w^(first+step), ... [H,count,N].
    at::Tensor powers(std::int64_t first, std::int64_t step, std::int64_t count) const;

    at::Tensor bonusOf(const at::Tensor &r, const at::Tensor &k) const;

    at::Tensor m_logDecay;  ///< [H,1,N]
    at::Tensor m_bonus;     ///< [H,1,N]
};

} // namespace lens::rwkv
