// What hand-written backward passes have in common. Included by few sources: the header behind it is a large one.
#pragma once

#include <ATen/ATen.h>
#include <initializer_list>
#include <torch/csrc/autograd/custom_function.h>

namespace lens {

/// Whether autograd records what is computed from these. Undefined tensors are passed over.
inline bool isRecorded(std::initializer_list<at::Tensor> inputs)
{
    if (!at::GradMode::is_enabled())
        return false;
    for (const at::Tensor &input : inputs)
        if (input.defined() && input.requires_grad())
            return true;
    return false;
}

/// Double stays double, so that gradients can be checked; everything else becomes float32.
inline at::Tensor widened(const at::Tensor &x)
{
    return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

} // namespace lens
