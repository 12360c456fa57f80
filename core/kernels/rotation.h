// Rotary position embedding (arXiv 2104.09864), eq. 34.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// x [tokens,heads,width] of one sequence; strides count numbers, the last dimension is dense.
struct RotationShape {
    std::int64_t tokens, heads, width;
    std::int64_t tokenStride, headStride;
    std::int64_t pairs;  ///< 2 * pairs <= width; what is behind them is copied
    bool interleaved;    ///< pairs (2i, 2i + 1) instead of (i, i + pairs)
};

/// y (dense, not x) = x with pair i of token t turned by the angle whose cosine and sine are given [tokens,pairs].
void rotate(const RotationShape &shape, const float *x, const float *cosine, const float *sine, float *y);
void rotate(const RotationShape &shape, const BFloat16 *x, const float *cosine, const float *sine, BFloat16 *y);

} // namespace lens::kernels
