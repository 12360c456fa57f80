#include "kernels/swiglu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/swiglu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class D>
HWY_INLINE hn::Vec<D> sigmoid(D d, hn::Vec<D> x)
{
    const auto one = hn::Set(d, 1.0f);
    return hn::Div(one, hn::Add(one, exponential(d, hn::Neg(x))));
}

template <class T>
HWY_INLINE void gated(std::int64_t n, const T *gate, const T *up, T *y)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto g = load(d, gate + i);
        store(d, hn::Mul(hn::Mul(g, sigmoid(d, g)), load(d, up + i)), y + i);
    });
}

/// silu'(g) = s (1 + g (1 - s)), s = sigmoid(g).
template <class T>
HWY_INLINE void gatedBackward(std::int64_t n, const T *gate, const T *up, const T *dY, T *dGate, T *dUp)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto one = hn::Set(d, 1.0f);
        const auto g = load(d, gate + i), gradient = load(d, dY + i);
        const auto s = sigmoid(d, g);
        const auto slope = hn::Mul(s, hn::MulAdd(g, hn::Sub(one, s), one));
        store(d, hn::Mul(hn::Mul(gradient, load(d, up + i)), slope), dGate + i);
        store(d, hn::Mul(gradient, hn::Mul(g, s)), dUp + i);
    });
}

void gatedFloat(std::int64_t n, const float *gate, const float *up, float *y)
{
    gated(n, gate, up, y);
}

void gatedBFloat16(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, BFloat16 *y)
{
    gated(n, gate, up, y);
}

void gatedBackwardFloat(std::int64_t n, const float *gate, const float *up, const float *dY, float *dGate, float *dUp)
{
    gatedBackward(n, gate, up, dY, dGate, dUp);
}

void gatedBackwardBFloat16(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, const BFloat16 *dY, BFloat16 *dGate,
                           BFloat16 *dUp)
{
    gatedBackward(n, gate, up, dY, dGate, dUp);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(gatedFloat);
HWY_EXPORT(gatedBFloat16);
HWY_EXPORT(gatedBackwardFloat);
HWY_EXPORT(gatedBackwardBFloat16);

void swiGlu(std::int64_t n, const float *gate, const float *up, float *y)
{
    HWY_DYNAMIC_DISPATCH(gatedFloat)(n, gate, up, y);
}

void swiGlu(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, BFloat16 *y)
{
    HWY_DYNAMIC_DISPATCH(gatedBFloat16)(n, gate, up, y);
}

void swiGluBackward(std::int64_t n, const float *gate, const float *up, const float *dY, float *dGate, float *dUp)
{
    HWY_DYNAMIC_DISPATCH(gatedBackwardFloat)(n, gate, up, dY, dGate, dUp);
}

void swiGluBackward(std::int64_t n, const BFloat16 *gate, const BFloat16 *up, const BFloat16 *dY, BFloat16 *dGate, BFloat16 *dUp)
{
    HWY_DYNAMIC_DISPATCH(gatedBackwardBFloat16)(n, gate, up, dY, dGate, dUp);
}

} // namespace lens::kernels
#endif
