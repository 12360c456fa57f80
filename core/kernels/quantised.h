// Products with quantised matrices: their numbers are unpacked in registers, never in memory.
#pragma once

#include "kernels/number.h"
#include "kernels/panels.h"

namespace lens::kernels {

/// x [columns] as products with a matrix want it. Keeps its memory from one x to the next.
class BlockInput {
public:
    /// For matrices that differ from W in their rows alone; x must outlive the products.
    void assign(const BlockMatrix &W, const float *x);

    const float *numbers() const { return m_numbers; }
    const ByteInput &bytes() const { return m_bytes; }

private:
    const float *m_numbers = nullptr;
    ByteInput m_bytes;
};

/// y[i] = row (first + i) of W times x, i < rows.
void product(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const BlockInput &x, float *y);

/// The numbers of those rows [rows,columns].
void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, float *values);
void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, BFloat16 *values);

} // namespace lens::kernels
