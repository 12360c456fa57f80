// What is asked of a whole vocabulary's logits for every token.
#pragma once

#include <cstdint>

namespace lens::kernels {

/// Of n > 0 numbers the first that none exceeds; -1 when one of them is infinite or no number.
std::int64_t greatest(std::int64_t n, const float *x);

/// sum exp((x[i] - shift) scale), no x[i] above shift, scale > 0.
double sumOfExponentials(std::int64_t n, const float *x, double shift, double scale);

} // namespace lens::kernels
