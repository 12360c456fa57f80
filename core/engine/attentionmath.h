// Numbers about attention matrices. Rows are queries, columns keys; causal, so only j <= i counts.
#pragma once

#include "probe/frames.h"

#include <cstdint>
#include <span>

namespace lens {

/// Divides each row as `scaling` says; rows whose divisor is zero stay as they are.
void scaleRows(Matrix &matrix, RowScaling scaling);

struct RowStatistics {
    float meanDistance = 0;  ///< tokens
    float entropy = 0;       ///< bits
};

/// Of |A| with rows summing to one, averaged over the queries that look at anything; NaN when none does.
RowStatistics rowStatistics(std::span<const float> matrix, std::int64_t tokens);

struct MatrixDistance {
    float frobenius = 0;  ///< ||A - B||_F / ||A||_F; NaN when A is zero
    float cosine = 0;     ///< 1 - <A, B> / (||A||_F ||B||_F); NaN when either is zero
};

MatrixDistance matrixDistance(const Matrix &a, const Matrix &b);

} // namespace lens
