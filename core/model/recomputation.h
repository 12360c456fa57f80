// Memory for time: what a block computes is thrown away and computed again when its gradients are wanted ("Training deep
// nets with sublinear memory cost", arXiv 1604.06174).
#pragma once

#include <ATen/ATen.h>
#include <functional>

namespace lens {

/// Must compute the same every time; `again` is true in the backward pass. What it refers to must live until then.
using Recomputable = std::function<at::Tensor(const at::Tensor &x, bool again)>;

/// f(x), of which only x is kept. Gradients reach x, and in the backward pass every leaf that f uses.
at::Tensor recomputed(const Recomputable &f, const at::Tensor &x);

} // namespace lens
