#include "engine/attentionmath.h"

#include <algorithm>
#include <cmath>

namespace lens {

void scaleRows(Matrix &matrix, RowScaling scaling)
{
    if (scaling == RowScaling::None)
        return;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        float *values = matrix.values.data() + row * matrix.columns;
        double sum = 0;
        for (std::int64_t j = 0; j < matrix.columns; ++j)
            sum += scaling == RowScaling::AbsoluteSum ? std::abs(values[j]) : values[j];
        const double divisor = std::abs(sum);
        if (divisor > 0)
            for (std::int64_t j = 0; j < matrix.columns; ++j)
                values[j] = static_cast<float>(values[j] / divisor);
    }
}

RowStatistics rowStatistics(std::span<const float> matrix, std::int64_t tokens)
{
    double distances = 0, entropies = 0;
    std::int64_t rows = 0;
    for (std::int64_t i = 0; i < tokens; ++i) {
        const float *row = matrix.data() + i * tokens;
        double sum = 0, distance = 0, weighted = 0;
        for (std::int64_t j = 0; j <= i; ++j) {
            const double weight = std::abs(row[j]);
            sum += weight;
            distance += weight * static_cast<double>(i - j);
            weighted += weight > 0 ? weight * std::log2(weight) : 0;
        }
        if (!(sum > 0))
            continue;
        // With p = w / sum: -sum p log2 p = log2(sum) - sum(w log2 w) / sum.
        distances += distance / sum;
        entropies += std::max(0.0, std::log2(sum) - weighted / sum);
        ++rows;
    }
    if (rows == 0)
        return {std::nanf(""), std::nanf("")};
    return {static_cast<float>(distances / static_cast<double>(rows)), static_cast<float>(entropies / static_cast<double>(rows))};
}

MatrixDistance matrixDistance(const Matrix &a, const Matrix &b)
{
    double difference = 0, squareA = 0, squareB = 0, product = 0;
    for (std::size_t i = 0; i < a.values.size() && i < b.values.size(); ++i) {
        const double x = a.values[i], y = b.values[i];
        difference += (x - y) * (x - y);
        squareA += x * x;
        squareB += y * y;
        product += x * y;
    }
    MatrixDistance result{std::nanf(""), std::nanf("")};
    if (squareA > 0)
        result.frobenius = static_cast<float>(std::sqrt(difference / squareA));
    if (squareA > 0 && squareB > 0)
        result.cosine = static_cast<float>(std::max(0.0, 1 - product / std::sqrt(squareA * squareB)));
    return result;
}

} // namespace lens
