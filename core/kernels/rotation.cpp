#include "kernels/rotation.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rotation.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class D>
HWY_INLINE void loadPairs(D d, const float *x, hn::Vec<D> &first, hn::Vec<D> &second)
{
    hn::LoadInterleaved2(d, x, first, second);
}

/// A pair of bfloat16 is one 32-bit lane (the first in the lower half).
template <class D>
HWY_INLINE void loadPairs(D d, const BFloat16 *x, hn::Vec<D> &first, hn::Vec<D> &second)
{
    const hn::RebindToUnsigned<D> du;
    const auto both = hn::LoadU(du, reinterpret_cast<const std::uint32_t *>(x));
    first = hn::BitCast(d, hn::ShiftLeft<16>(both));
    second = hn::BitCast(d, hn::And(both, hn::Set(du, 0xFFFF0000u)));
}

template <class D>
HWY_INLINE void storePairs(D d, hn::Vec<D> first, hn::Vec<D> second, float *y)
{
    hn::StoreInterleaved2(first, second, d, y);
}

template <class D>
HWY_INLINE void storePairs(D d, hn::Vec<D> first, hn::Vec<D> second, BFloat16 *y)
{
    const hn::RebindToUnsigned<D> du;
    const auto lower = hn::ShiftRight<16>(nearestBFloat16(d, first));
    const auto upper = hn::And(nearestBFloat16(d, second), hn::Set(du, 0xFFFF0000u));
    hn::StoreU(hn::Or(upper, lower), du, reinterpret_cast<std::uint32_t *>(y));
}

template <class T>
HWY_INLINE void rotateHead(const RotationShape &shape, const T *x, const float *cosine, const float *sine, T *y)
{
    sweep(shape.pairs, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::Vec<decltype(d)> first, second;
        if (shape.interleaved) {
            loadPairs(d, x + 2 * i, first, second);
        } else {
            first = load(d, x + i);
            second = load(d, x + shape.pairs + i);
        }
        const auto c = hn::LoadU(d, cosine + i), s = hn::LoadU(d, sine + i);
        const auto newFirst = hn::Sub(hn::Mul(first, c), hn::Mul(second, s));
        const auto newSecond = hn::Add(hn::Mul(second, c), hn::Mul(first, s));
        if (shape.interleaved) {
            storePairs(d, newFirst, newSecond, y + 2 * i);
        } else {
            store(d, newFirst, y + i);
            store(d, newSecond, y + shape.pairs + i);
        }
    });
    std::copy(x + 2 * shape.pairs, x + shape.width, y + 2 * shape.pairs);
}

template <class T>
HWY_INLINE void rotateAll(const RotationShape &shape, const T *x, const float *cosine, const float *sine, T *y)
{
    for (std::int64_t t = 0; t < shape.tokens; ++t)
        for (std::int64_t h = 0; h < shape.heads; ++h)
            rotateHead(shape, x + t * shape.tokenStride + h * shape.headStride, cosine + t * shape.pairs, sine + t * shape.pairs,
                       y + (t * shape.heads + h) * shape.width);
}

void rotateFloat(const RotationShape &shape, const float *x, const float *cosine, const float *sine, float *y)
{
    rotateAll(shape, x, cosine, sine, y);
}

void rotateBFloat16(const RotationShape &shape, const BFloat16 *x, const float *cosine, const float *sine, BFloat16 *y)
{
    rotateAll(shape, x, cosine, sine, y);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(rotateFloat);
HWY_EXPORT(rotateBFloat16);

void rotate(const RotationShape &shape, const float *x, const float *cosine, const float *sine, float *y)
{
    HWY_DYNAMIC_DISPATCH(rotateFloat)(shape, x, cosine, sine, y);
}

void rotate(const RotationShape &shape, const BFloat16 *x, const float *cosine, const float *sine, BFloat16 *y)
{
    HWY_DYNAMIC_DISPATCH(rotateBFloat16)(shape, x, cosine, sine, y);
}

} // namespace lens::kernels
#endif
