// The fast forms of causal linear attention with a fixed decay per head. All exponents are <= 0, so nothing can
// overflow however strong the decay and long the text; gamma^-j is never formed.
//
// Shapes: q, k [B,H,T,dk] with the key scale already in k, v [B,H,T,dv], logGamma [H] <= 0, S [B,H,dk,dv]; float32.
// A normaliser needs nothing of its own: a column of ones beside v makes the last column of S its sum of keys.
#pragma once

#include <ATen/ATen.h>

namespace lens {

/// gamma^(i-j) for j <= i, else 0: [H,n,n].
at::Tensor decayMask(const at::Tensor &logGamma, std::int64_t n);

/// One chunk (local i = 1..n): O_i = gamma^i S^T q_i + sum_{j<=i} gamma^(i-j) (q_i . k_j) v_j, and
/// S' = gamma^n S + sum_j gamma^(n-j) k_j v_j^T.
at::Tensor attendChunk(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S);

/// Chunk after chunk, the last one perhaps short.
at::Tensor attendChunked(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma,
                         at::Tensor &S, std::int64_t chunk);

/// ||S_t||_F after every token of a sequence entered with state S: [B,H,T], without forming the states, from
/// ||S_t||^2 = gamma^2 ||S_{t-1}||^2 + 2 gamma k_t^T S_{t-1} v_t + |k_t|^2 |v_t|^2. S is left as it is.
at::Tensor stateNorms(const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, const at::Tensor &S,
                      std::int64_t chunk);

} // namespace lens
