// Tensors that view a mapped file.
#pragma once

#include "tensor/mappedfile.h"

#include <ATen/ATen.h>

namespace lens {

/// Views the file's bytes from `offset` on, which the caller knows to be there, and keeps the file mapped. Nobody may
/// write into it: torch has no read-only tensors. Empty strides are those of a dense tensor.
at::Tensor viewOf(const MappedFilePtr &file, std::uint64_t offset, at::ScalarType type, at::IntArrayRef sizes,
                  at::IntArrayRef strides);

/// The file that a tensor views, or a part of it does; null for all others.
MappedFilePtr fileOf(const at::Tensor &tensor);

} // namespace lens
