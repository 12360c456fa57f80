// The weights of a projection, of whatever type they are stored in, times one vector.
#pragma once

#include "kernels/quantised.h"

#include <variant>

namespace lens::kernels {

/// [rows,columns], one row behind the other.
template <class T>
struct DenseMatrix {
    const T *numbers = nullptr;
    std::int64_t columns = 0;
};

using Matrix = std::variant<DenseMatrix<float>, DenseMatrix<BFloat16>, BlockMatrix>;

/// y[i] = row (first + i) of W times x [columns], i < rows.
void product(const DenseMatrix<float> &W, std::int64_t first, std::int64_t rows, const float *x, float *y);
void product(const DenseMatrix<BFloat16> &W, std::int64_t first, std::int64_t rows, const float *x, float *y);

inline void product(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    BlockInput input;
    input.assign(W, x);
    product(W, first, rows, input, y);
}

inline void product(const Matrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    std::visit([&](const auto &matrix) { product(matrix, first, rows, x, y); }, W);
}

/// The same with x made ready for W before: for W in blocks as such, for others x as it is.
inline void product(const Matrix &W, std::int64_t first, std::int64_t rows, const BlockInput &x, float *y)
{
    if (const auto *blocks = std::get_if<BlockMatrix>(&W))
        product(*blocks, first, rows, x, y);
    else
        product(W, first, rows, x.numbers(), y);
}

} // namespace lens::kernels
