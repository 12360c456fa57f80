// For matrix units that multiply bfloat16 only: float32 numbers as sums of two of them, and the order such units read.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// x = high + low + r, |r| <= 2^-16 |x|; what is no finite number is so in `high`.
void split(std::int64_t n, const float *x, BFloat16 *high, BFloat16 *low);

/// to[j * toStride + i] = from[i * fromStride + j] for i < rows, j < columns; strides in words.
void transpose(std::int64_t rows, std::int64_t columns, const std::uint32_t *from, std::int64_t fromStride, std::uint32_t *to,
               std::int64_t toStride);
void transpose(std::int64_t rows, std::int64_t columns, const float *from, std::int64_t fromStride, float *to, std::int64_t toStride);

} // namespace lens::kernels
