// The matrix unit of recent x86 processors (AMX), which multiplies bfloat16 and sums in float32. Unlike the other kernels,
// these work only where hasTiles().
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// Whether the processor has the unit and the operating system lets this process use it.
bool hasTiles();

constexpr std::int64_t kTileRows = 16, kTileColumns = 32;  ///< of bfloat16 numbers; 64 bytes a row

/// A matrix in two parts, whose sum it is (see split()).
struct TwoParts {
    const BFloat16 *high, *low;
};

struct TileProduct {
    std::int64_t columns = 0;    ///< of x and of W, a multiple of kTileColumns
    std::int64_t tokens = 0;     ///< a multiple of 2 kTileRows
    std::int64_t panels = 1;     ///< 1 or 2, each kTileRows rows of W
    std::int64_t stride = 0;     ///< numbers from one token's y to the next
};

/// y [tokens, 16 panels] = x W^T, but for low times low. x [tokens/16, columns/32, 16, 32]; W [panels, columns/2, 16, 2]:
/// pairs of neighbouring columns. `scratch` holds 32 tokens numbers.
void multiplyTiles(const TileProduct &shape, const TwoParts &x, const TwoParts &W, float *scratch, float *y);

} // namespace lens::kernels
