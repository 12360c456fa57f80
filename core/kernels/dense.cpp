#include "kernels/matrix.h"

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

constexpr std::int64_t kStreams = 4;   // memory serves several places at a time faster than one
constexpr std::int64_t kAhead = 1024;  // bytes of each that are fetched before they are needed
constexpr std::int64_t kLine = 64;     // bytes that are fetched at a time

/// y[apart i] = row[apart i] times x, i < count, which is 1 or 4.
template <std::int64_t count, class T>
HWY_INLINE void rowsApart(std::int64_t columns, std::int64_t apart, const T *row, const float *x, float *y)
{
    const Wide d;
    constexpr std::int64_t step = kLine / sizeof(T);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t stride = apart * columns;
    hn::Vec<Wide> sums[count];
    HWY_UNROLL(4)
    for (std::int64_t i = 0; i < count; ++i)
        sums[i] = hn::Zero(d);
    std::int64_t j = 0;
    for (; j + step <= columns; j += step) {
        HWY_UNROLL(4)
        for (std::int64_t i = 0; i < count; ++i)
            hwy::Prefetch(row + i * stride + j + kAhead / sizeof(T));
        for (std::int64_t k = j; k < j + step; k += lanes) {
            const auto input = hn::LoadU(d, x + k);
            HWY_UNROLL(4)
            for (std::int64_t i = 0; i < count; ++i)
                sums[i] = hn::MulAdd(load(d, row + i * stride + k), input, sums[i]);
        }
    }
    float totals[count];
    if constexpr (count == 4)
        storeSums(d, sums, 1, totals);
    else
        totals[0] = hn::GetLane(hn::SumOfLanes(d, sums[0]));
    HWY_UNROLL(4)
    for (std::int64_t i = 0; i < count; ++i) {
        if (j < columns) {
            Sum rest;
            sweep(columns - j, [&](auto tag, std::int64_t k) HWY_ATTR {
                rest.add(tag, hn::Mul(load(tag, row + i * stride + j + k), hn::LoadU(tag, x + j + k)));
            });
            totals[i] += rest.total();
        }
        y[i * apart] = totals[i];
    }
}

template <class T>
HWY_INLINE void productOf(const DenseMatrix<T> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    const T *row = W.numbers + first * W.columns;
    const std::int64_t apart = rows / kStreams;
    for (std::int64_t i = 0; i < apart; ++i)
        rowsApart<kStreams>(W.columns, apart, row + i * W.columns, x, y + i);
    for (std::int64_t i = apart * kStreams; i < rows; ++i)
        rowsApart<1>(W.columns, 1, row + i * W.columns, x, y + i);
}

void productFloat(const DenseMatrix<float> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    productOf(W, first, rows, x, y);
}

void productBFloat16(const DenseMatrix<BFloat16> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    productOf(W, first, rows, x, y);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(productFloat);
HWY_EXPORT(productBFloat16);

void product(const DenseMatrix<float> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    HWY_DYNAMIC_DISPATCH(productFloat)(W, first, rows, x, y);
}

void product(const DenseMatrix<BFloat16> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    HWY_DYNAMIC_DISPATCH(productBFloat16)(W, first, rows, x, y);
}

} // namespace lens::kernels
#endif
