// Products with quantised matrices as they lie in their file: a row is unpacked in registers, never in memory.
#pragma once

#include "kernels/blockformat.h"
#include "kernels/number.h"

#include <cstddef>

namespace lens::kernels {

/// Rows of whole blocks, one behind the other, at any address.
struct BlockMatrix {
    BlockFormat format = BlockFormat::Q8_0;
    const std::byte *blocks = nullptr;
    std::int64_t columns = 0;  ///< a multiple of blockElements()

    std::int64_t rowBytes() const { return columns / blockElements(format) * blockBytes(format); }
};

/// y[i] = row (first + i) of W times x [columns], i < rows.
void product(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y);

/// The numbers of those rows [rows,columns].
void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, float *values);
void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, BFloat16 *values);

} // namespace lens::kernels
