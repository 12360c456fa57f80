#include "kernels/rmsnorm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rmsnorm.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class T>
HWY_INLINE float inverseRoot(std::int64_t width, const T *x, float epsilon)
{
    Sum squares;
    sweep(width, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto value = load(d, x + i);
        squares.add(d, hn::Mul(value, value));
    });
    return 1.0f / std::sqrt(squares.total() / static_cast<float>(width) + epsilon);
}

template <class D, class T>
HWY_INLINE hn::Vec<D> weighted(D d, hn::Vec<D> x, const T *weight, std::int64_t i)
{
    return weight ? hn::Mul(x, load(d, weight + i)) : x;
}

template <class T>
HWY_INLINE void norm(std::int64_t rows, std::int64_t width, const T *x, const T *weight, float epsilon, T *y)
{
    for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
        const float inverse = inverseRoot(width, x, epsilon);
        sweep(width, [&](auto d, std::int64_t i) HWY_ATTR {
            store(d, weighted(d, hn::Mul(load(d, x + i), hn::Set(d, inverse)), weight, i), y + i);
        });
    }
}

template <class T>
HWY_INLINE void normBackward(std::int64_t rows, std::int64_t width, const T *x, const T *weight, float epsilon, const T *dY, T *dX,
                             float *dWeight)
{
    for (std::int64_t row = 0; row < rows; ++row, x += width, dY += width, dX += width) {
        const float inverse = inverseRoot(width, x, epsilon);
        Sum products;
        sweep(width, [&](auto d, std::int64_t i) HWY_ATTR {
            const auto normed = hn::Mul(load(d, x + i), hn::Set(d, inverse));
            products.add(d, hn::Mul(weighted(d, load(d, dY + i), weight, i), normed));
        });
        const float along = products.total() / static_cast<float>(width);
        sweep(width, [&](auto d, std::int64_t i) HWY_ATTR {
            const auto scale = hn::Set(d, inverse);
            const auto normed = hn::Mul(load(d, x + i), scale);
            const auto gradient = load(d, dY + i);
            if (dWeight)
                hn::StoreU(hn::MulAdd(gradient, normed, hn::LoadU(d, dWeight + i)), d, dWeight + i);
            store(d, hn::Mul(hn::NegMulAdd(normed, hn::Set(d, along), weighted(d, gradient, weight, i)), scale), dX + i);
        });
    }
}

void normFloat(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, float *y)
{
    norm(rows, width, x, weight, epsilon, y);
}

void normBFloat16(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon, BFloat16 *y)
{
    norm(rows, width, x, weight, epsilon, y);
}

void normBackwardFloat(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, const float *dY,
                       float *dX, float *dWeight)
{
    normBackward(rows, width, x, weight, epsilon, dY, dX, dWeight);
}

void normBackwardBFloat16(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon,
                          const BFloat16 *dY, BFloat16 *dX, float *dWeight)
{
    normBackward(rows, width, x, weight, epsilon, dY, dX, dWeight);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(normFloat);
HWY_EXPORT(normBFloat16);
HWY_EXPORT(normBackwardFloat);
HWY_EXPORT(normBackwardBFloat16);

void rmsNorm(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, float *y)
{
    HWY_DYNAMIC_DISPATCH(normFloat)(rows, width, x, weight, epsilon, y);
}

void rmsNorm(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon, BFloat16 *y)
{
    HWY_DYNAMIC_DISPATCH(normBFloat16)(rows, width, x, weight, epsilon, y);
}

void rmsNormBackward(std::int64_t rows, std::int64_t width, const float *x, const float *weight, float epsilon, const float *dY,
                     float *dX, float *dWeight)
{
    HWY_DYNAMIC_DISPATCH(normBackwardFloat)(rows, width, x, weight, epsilon, dY, dX, dWeight);
}

void rmsNormBackward(std::int64_t rows, std::int64_t width, const BFloat16 *x, const BFloat16 *weight, float epsilon,
                     const BFloat16 *dY, BFloat16 *dX, float *dWeight)
{
    HWY_DYNAMIC_DISPATCH(normBackwardBFloat16)(rows, width, x, weight, epsilon, dY, dX, dWeight);
}

} // namespace lens::kernels
#endif
