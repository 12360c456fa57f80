// exp(x) for each target that Highway compiles. Highway's own is right for the range of float32 only.
#if defined(SUPRALENS_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_EXPONENTIAL_INL_H
#undef SUPRALENS_EXPONENTIAL_INL_H
#else
#define SUPRALENS_EXPONENTIAL_INL_H
#endif

#include "kernels/number-inl.h"

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

/// What exceeds float32 gives a number near its end (exp(88)); NaN stays NaN.
template <class D>
HWY_INLINE hn::Vec<D> exponential(D d, hn::Vec<D> x)
{
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, hn::Min(x, hn::Set(d, 88.0f))));
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
