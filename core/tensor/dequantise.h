// Expands GGUF's quantised blocks to float32, with the arithmetic and the order of operations of ggml's C code, so that
// the values are equal bit for bit. Layouts: the GGUF specification and ggml's block structures. No torch here.
#pragma once

#include "tensor/dtype.h"

#include <cstddef>
#include <span>

namespace lens {

/// `type` must be quantised; `blocks` holds whole blocks, `values` exactly their elements.
void dequantise(DType type, std::span<const std::byte> blocks, std::span<float> values);

} // namespace lens
