#include "kernels/logits.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/logits.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

constexpr std::int64_t kTogether = 1024;  // numbers: few enough to be searched again

std::int64_t greatestOf(std::int64_t n, const float *x)
{
    float most = 0;
    std::int64_t where = -1;
    for (std::int64_t begin = 0; begin < n; begin += kTogether) {
        Maximum maximum;
        Sum spoilt;  // 0 as long as all are finite
        sweep(HWY_MIN(kTogether, n - begin), [&](auto d, std::int64_t i) HWY_ATTR {
            const auto numbers = hn::LoadU(d, x + begin + i);
            maximum.add(d, numbers);
            spoilt.add(d, hn::Sub(numbers, numbers));
        });
        if (!(spoilt.total() == 0))
            return -1;
        if (where < 0 || maximum.total() > most) {
            most = maximum.total();
            where = begin;
        }
    }
    return std::find(x + where, x + n, most) - x;
}

double sumOf(std::int64_t n, const float *x, double shift, double scale)
{
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, decltype(d)> narrow;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto sums = hn::Zero(d);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const auto numbers = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
        sums = hn::Add(sums, hn::Exp(d, hn::Mul(hn::Sub(numbers, hn::Set(d, shift)), hn::Set(d, scale))));
    }
    double total = hn::GetLane(hn::SumOfLanes(d, sums));
    for (; i < n; ++i)
        total += std::exp((x[i] - shift) * scale);
    return total;
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(greatestOf);
HWY_EXPORT(sumOf);

std::int64_t greatest(std::int64_t n, const float *x)
{
    return HWY_DYNAMIC_DISPATCH(greatestOf)(n, x);
}

double sumOfExponentials(std::int64_t n, const float *x, double shift, double scale)
{
    return HWY_DYNAMIC_DISPATCH(sumOf)(n, x, shift, scale);
}

} // namespace lens::kernels
#endif
