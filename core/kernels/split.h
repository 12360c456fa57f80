// For matrix units that multiply bfloat16 only: float32 numbers as sums of two of them.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// x = high + low + r, |r| <= 2^-16 |x|; what is no finite number is so in `high`.
void split(std::int64_t n, const float *x, BFloat16 *high, BFloat16 *low);

} // namespace lens::kernels
