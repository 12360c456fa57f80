// Causal linear attention with a hand-written backward pass, so that training needs memory that grows with T.
#pragma once

#include <ATen/ATen.h>

namespace lens {

/// attendChunked() of linearforms.h, differentiable in q, k, v and logGamma. Kept for the backward pass are the inputs
/// alone; states and scores are computed again. All full chunks are one batched product, only the recurrence from
/// chunk to chunk is a loop.
///
/// q, k [B,H,T,dk] and v [B,H,T,dv] in any floating dtype, logGamma [H] <= 0, S [B,H,dk,dv], the key scale
/// already in k. Returns [B,H,T,dv] in float32 (double for double). S becomes the state after the last token; neither it nor the
/// entering one carries a gradient.
at::Tensor attendTrained(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma,
                         at::Tensor &S, std::int64_t chunk);

} // namespace lens
