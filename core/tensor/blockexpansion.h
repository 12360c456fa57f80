// Quantised blocks as numbers by torch's own operators: for devices that the kernels cannot reach.
#pragma once

#include "kernels/blockformat.h"

#include <ATen/ATen.h>

namespace lens {

/// blocks U8 [rows, bytes per row] on any device (meta too), whole blocks, no panels; [rows,columns] of `type` there.
/// Formats as in kernels/blocks-inl.h.
at::Tensor expandedByTorch(const at::Tensor &blocks, kernels::BlockFormat format, at::ScalarType type);

} // namespace lens
