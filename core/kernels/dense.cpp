#include "kernels/matrix.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class T>
HWY_INLINE void productOf(const DenseMatrix<T> &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    const Wide d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const T *row = W.numbers + first * W.columns;
    for (std::int64_t i = 0; i < rows; ++i, row += W.columns) {
        // Four sums, so that one need not wait for the other.
        auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
        std::int64_t j = 0;
        for (; j + 4 * lanes <= W.columns; j += 4 * lanes) {
            s0 = hn::MulAdd(load(d, row + j), hn::LoadU(d, x + j), s0);
            s1 = hn::MulAdd(load(d, row + j + lanes), hn::LoadU(d, x + j + lanes), s1);
            s2 = hn::MulAdd(load(d, row + j + 2 * lanes), hn::LoadU(d, x + j + 2 * lanes), s2);
            s3 = hn::MulAdd(load(d, row + j + 3 * lanes), hn::LoadU(d, x + j + 3 * lanes), s3);
        }
        Sum rest;
        sweep(W.columns - j, [&](auto tag, std::int64_t k) HWY_ATTR {
            rest.add(tag, hn::Mul(load(tag, row + j + k), hn::LoadU(tag, x + j + k)));
        });
        y[i] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))) + rest.total();
    }
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
