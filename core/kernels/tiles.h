// The matrix unit of recent x86 processors (AMX), which multiplies bfloat16 and sums in float32. Unlike the other kernels,
// these work only where hasTiles().
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// Whether the processor has the unit and the operating system lets this process use it.
bool hasTiles();

constexpr std::int64_t kTile = 32;  ///< columns, rows and tokens come in multiples of it

/// A matrix in two parts, whose sum it is (see split()).
struct TwoParts {
    const BFloat16 *high, *low;
};

/// product [kTile,tokens] = W x^T, but for low times low. W [kTile,columns]; x [tokens/kTile, columns/2, kTile, 2]: pairs of
/// neighbouring columns, for a few tokens at a time.
void multiplyTiles(std::int64_t columns, std::int64_t tokens, const TwoParts &W, const TwoParts &x, float *product);

} // namespace lens::kernels
