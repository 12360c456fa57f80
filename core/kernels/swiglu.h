// The gated unit of a SwiGLU feed-forward (arXiv 2002.05202): y = silu(gate) up, silu(g) = g / (1 + exp(-g)).
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// All n numbers long.
void swiGlu(std::int64_t n, const float *gate, const float *up, float *y);
void swiGlu(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, BFloat16 *y);

/// From the gradient dY of y.
void swiGluBackward(std::int64_t n, const float *gate, const float *up, const float *dY, float *dGate, float *dUp);
void swiGluBackward(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, const BFloat16 *dY, BFloat16 *dGate, BFloat16 *dUp);

} // namespace lens::kernels
