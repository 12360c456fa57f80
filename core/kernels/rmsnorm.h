// Root mean square layer normalisation (arXiv 1910.07467): y = w x / sqrt(mean x^2 + epsilon).
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// x, y [rows,width]; weight [width] or null.
void rmsNorm(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, float *y);
void rmsNorm(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon, BFloat16 *y);

/// From the gradient dY of y, that of x; that of the weight is added to dWeight [width], unless null.
void rmsNormBackward(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, const float *dY,
                     float *dX, float *dWeight);
void rmsNormBackward(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon,
                     const BFloat16 *dY, BFloat16 *dX, float *dWeight);

} // namespace lens::kernels
