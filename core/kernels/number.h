// Kernels run on CPU memory that the caller owns, in the calling thread, for the best instruction set the machine has
// (Google Highway chooses when first called). They compute in float32, read and write either type below, allocate nothing
// and cannot fail. Every one has a plain form in torch somewhere, which is what it is tested against.
#pragma once

#include <cstdint>

namespace lens::kernels {

/// The bits of a bfloat16: the upper half of a float32.
enum class BFloat16 : std::uint16_t {};

} // namespace lens::kernels
