#include "kernels/split.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/split.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

void splitNumbers(std::int64_t n, const float *x, BFloat16 *high, BFloat16 *low)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto number = hn::LoadU(d, x + i);
        store(d, number, high + i);
        store(d, hn::Sub(number, load(d, high + i)), low + i);
    });
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(splitNumbers);

void split(std::int64_t n, const float *x, BFloat16 *high, BFloat16 *low)
{
    HWY_DYNAMIC_DISPATCH(splitNumbers)(n, x, high, low);
}

} // namespace lens::kernels
#endif
