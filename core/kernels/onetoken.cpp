#include "kernels/onetoken.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/onetoken.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

template <class T>
HWY_INLINE float dot(std::int64_t n, const float *x, const T *y)
{
    Sum sum;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { sum.add(d, hn::Mul(hn::LoadU(d, x + i), load(d, y + i))); });
    return sum.total();
}

/// x += factor y.
template <class T>
HWY_INLINE void accumulate(std::int64_t n, float factor, const T *y, float *x)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(hn::MulAdd(hn::Set(d, factor), load(d, y + i), hn::LoadU(d, x + i)), d, x + i);
    });
}

HWY_INLINE void multiply(std::int64_t n, float factor, float *x)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i); });
}

/// out = sum_t weights[t] values[t]: some vectors of it at a time, which stay in registers.
template <class T>
HWY_INLINE void weightedSum(std::int64_t tokens, std::int64_t n, const float *weights, const T *values, float *out)
{
    const Wide d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
        const T *row = values + i;
        for (std::int64_t t = 0; t < tokens; ++t, row += n) {
            const auto weight = hn::Set(d, weights[t]);
            s0 = hn::MulAdd(weight, load(d, row), s0);
            s1 = hn::MulAdd(weight, load(d, row + lanes), s1);
            s2 = hn::MulAdd(weight, load(d, row + 2 * lanes), s2);
            s3 = hn::MulAdd(weight, load(d, row + 3 * lanes), s3);
        }
        hn::StoreU(s0, d, out + i);
        hn::StoreU(s1, d, out + i + lanes);
        hn::StoreU(s2, d, out + i + 2 * lanes);
        hn::StoreU(s3, d, out + i + 3 * lanes);
    }
    sweep(n - i, [&](auto tag, std::int64_t j) HWY_ATTR {
        auto sum = hn::Zero(tag);
        for (std::int64_t t = 0; t < tokens; ++t)
            sum = hn::MulAdd(hn::Set(tag, weights[t]), load(tag, values + t * n + i + j), sum);
        hn::StoreU(sum, tag, out + i + j);
    });
}

template <class T>
HWY_INLINE void attendTo(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const T *keys, const T *values,
                         float scale, float *scores, float *out)
{
    Maximum greatest;
    for (std::int64_t t = 0; t < tokens; ++t)
        scores[t] = scale * dot(dk, q, keys + t * dk);
    sweep(tokens, [&](auto d, std::int64_t t) HWY_ATTR { greatest.add(d, hn::LoadU(d, scores + t)); });
    const float shift = greatest.total();
    Sum sum;
    sweep(tokens, [&](auto d, std::int64_t t) HWY_ATTR {
        const auto weight = exponential(d, hn::Sub(hn::LoadU(d, scores + t), hn::Set(d, shift)));
        hn::StoreU(weight, d, scores + t);
        sum.add(d, weight);
    });
    weightedSum(tokens, dv, scores, values, out);
    multiply(dv, 1 / sum.total(), out);
}

void attendFloat(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const float *keys, const float *values,
                 float scale, float *scores, float *out)
{
    attendTo(tokens, dk, dv, q, keys, values, scale, scores, out);
}

void attendBFloat16(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const BFloat16 *keys,
                    const BFloat16 *values, float scale, float *scores, float *out)
{
    attendTo(tokens, dk, dv, q, keys, values, scale, scores, out);
}

float advanceState(std::int64_t dk, std::int64_t dv, float gamma, const float *q, const float *k, const float *v, float *S, float *out,
                   std::int64_t measured)
{
    std::fill(out, out + dv, 0.0f);
    Sum squares;
    for (std::int64_t row = 0; row < dk; ++row, S += dv) {
        const auto step = [&](auto d, std::int64_t i) HWY_ATTR {
            const auto kept = hn::Mul(hn::LoadU(d, S + i), hn::Set(d, gamma));
            const auto state = hn::MulAdd(hn::Set(d, k[row]), hn::LoadU(d, v + i), kept);
            hn::StoreU(state, d, S + i);
            hn::StoreU(hn::MulAdd(hn::Set(d, q[row]), state, hn::LoadU(d, out + i)), d, out + i);
            return state;
        };
        sweep(measured, [&](auto d, std::int64_t i) HWY_ATTR {
            const auto state = step(d, i);
            squares.add(d, hn::Mul(state, state));
        });
        sweep(dv - measured, [&](auto d, std::int64_t i) HWY_ATTR { step(d, measured + i); });
    }
    return squares.total();
}

void transposed(std::int64_t rows, std::int64_t columns, const float *x, const float *W, const float *bias, float *y)
{
    if (bias)
        std::copy(bias, bias + columns, y);
    else
        std::fill(y, y + columns, 0.0f);
    for (std::int64_t row = 0; row < rows; ++row)
        accumulate(columns, x[row], W + row * columns, y);
}

void convertBFloat16(std::int64_t n, const float *x, BFloat16 *y)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { store(d, hn::LoadU(d, x + i), y + i); });
}

void centreHead(std::int64_t n, float epsilon, float *x)
{
    Sum sum;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { sum.add(d, hn::LoadU(d, x + i)); });
    const float mean = sum.total() / static_cast<float>(n);
    Sum squares;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto difference = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
        hn::StoreU(difference, d, x + i);
        squares.add(d, hn::Mul(difference, difference));
    });
    multiply(n, 1 / std::sqrt(squares.total() / static_cast<float>(n) + epsilon), x);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(attendFloat);
HWY_EXPORT(attendBFloat16);
HWY_EXPORT(advanceState);
HWY_EXPORT(transposed);
HWY_EXPORT(convertBFloat16);
HWY_EXPORT(centreHead);

void attend(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const float *keys, const float *values,
            float scale, float *scores, float *out)
{
    HWY_DYNAMIC_DISPATCH(attendFloat)(tokens, dk, dv, q, keys, values, scale, scores, out);
}

void attend(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const BFloat16 *keys, const BFloat16 *values,
            float scale, float *scores, float *out)
{
    HWY_DYNAMIC_DISPATCH(attendBFloat16)(tokens, dk, dv, q, keys, values, scale, scores, out);
}

float advance(std::int64_t dk, std::int64_t dv, float gamma, const float *q, const float *k, const float *v, float *S, float *out,
              std::int64_t measured)
{
    return HWY_DYNAMIC_DISPATCH(advanceState)(dk, dv, gamma, q, k, v, S, out, measured);
}

void transposedProduct(std::int64_t rows, std::int64_t columns, const float *x, const float *W, const float *bias, float *y)
{
    HWY_DYNAMIC_DISPATCH(transposed)(rows, columns, x, W, bias, y);
}

void convert(std::int64_t n, const float *x, float *y)
{
    std::copy(x, x + n, y);
}

void convert(std::int64_t n, const float *x, BFloat16 *y)
{
    HWY_DYNAMIC_DISPATCH(convertBFloat16)(n, x, y);
}

void centre(std::int64_t n, float epsilon, float *x)
{
    HWY_DYNAMIC_DISPATCH(centreHead)(n, epsilon, x);
}

} // namespace lens::kernels
#endif
