#include "kernels/vocabularyloss.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vocabularyloss.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class T>
HWY_INLINE float greatest(std::int64_t n, const T *x)
{
    Maximum maximum;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { maximum.add(d, load(d, x + i)); });
    return maximum.total();
}

template <class T>
HWY_INLINE float number(const T *x)
{
    return hn::GetLane(load(Single(), x));
}

/// With x = own - max, y = original - max: the divergence is sum q (y - x) + log Zx - log Zy, q = exp(y) / Zy.
template <class T>
HWY_INLINE float lossOf(std::int64_t n, const T *own, const T *original, std::int64_t target, float share, float scale, T *gradient)
{
    const float ownMaximum = greatest(n, own), originalMaximum = original ? greatest(n, original) : 0;
    Sum ownSum, originalSum, differences;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto x = hn::Sub(load(d, own + i), hn::Set(d, ownMaximum));
        ownSum.add(d, exponential(d, x));
        if (original) {
            const auto y = hn::Sub(load(d, original + i), hn::Set(d, originalMaximum));
            const auto probability = exponential(d, y);
            originalSum.add(d, probability);
            differences.add(d, hn::Mul(probability, hn::Sub(y, x)));
        }
    });
    const float ownZ = ownSum.total(), originalZ = originalSum.total(), truth = original ? 1 - share : 1;
    float loss = truth * (std::log(ownZ) + ownMaximum - number(own + target));
    if (original)
        loss += share * (differences.total() / originalZ + std::log(ownZ) - std::log(originalZ));
    if (!gradient)
        return loss;
    const float atTarget = std::exp(number(own + target) - ownMaximum) / ownZ
                           - (original ? share * std::exp(number(original + target) - originalMaximum) / originalZ : 0) - truth;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto x = hn::Sub(load(d, own + i), hn::Set(d, ownMaximum));
        auto sum = hn::Mul(exponential(d, x), hn::Set(d, scale / ownZ));
        if (original) {
            const auto y = hn::Sub(load(d, original + i), hn::Set(d, originalMaximum));
            sum = hn::NegMulAdd(exponential(d, y), hn::Set(d, scale * share / originalZ), sum);
        }
        store(d, sum, gradient + i);
    });
    store(Single(), hn::Set(Single(), scale * atTarget), gradient + target);
    return loss;
}

float lossFloat(std::int64_t n, const float *own, const float *original, std::int64_t target, float share, float scale, float *gradient)
{
    return lossOf(n, own, original, target, share, scale, gradient);
}

float lossBFloat16(std::int64_t n, const BFloat16 *own, const BFloat16 *original, std::int64_t target, float share, float scale,
                   BFloat16 *gradient)
{
    return lossOf(n, own, original, target, share, scale, gradient);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(lossFloat);
HWY_EXPORT(lossBFloat16);

float vocabularyLoss(std::int64_t vocabulary, const float *own, const float *original, std::int64_t target, float share, float scale,
                     float *gradient)
{
    return HWY_DYNAMIC_DISPATCH(lossFloat)(vocabulary, own, original, target, share, scale, gradient);
}

float vocabularyLoss(std::int64_t vocabulary, const BFloat16 *own, const BFloat16 *original, std::int64_t target, float share,
                     float scale, BFloat16 *gradient)
{
    return HWY_DYNAMIC_DISPATCH(lossBFloat16)(vocabulary, own, original, target, share, scale, gradient);
}

} // namespace lens::kernels
#endif
