#include "kernels/onetoken.h"

#include <algorithm>
#include <cmath>
#include <hwy/cache_control.h>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/onetoken.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

/// x += factor y.
HWY_INLINE void accumulate(std::int64_t n, float factor, const float *y, float *x)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(hn::MulAdd(hn::Set(d, factor), hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, x + i);
    });
}

HWY_INLINE void multiply(std::int64_t n, float factor, float *x)
{
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i); });
}

constexpr std::int64_t kTogether = 4;  // rows of a cache
constexpr std::int64_t kAhead = 4096;  // bytes that are fetched before they are needed
constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// The rows of a cache, so many at a time; where there are none left, the last one is repeated.
template <class T>
class Rows {
public:
    HWY_INLINE Rows(std::int64_t tokens, std::int64_t width, const T *rows)
        : m_rows(rows), m_tokens(tokens), m_width(width)
    {
    }

    HWY_INLINE std::int64_t end() const { return (m_tokens + kTogether - 1) / kTogether * kTogether; }
    HWY_INLINE const T *row(std::int64_t token) const { return m_rows + HWY_MIN(token, m_tokens - 1) * m_width; }

private:
    const T *m_rows;
    std::int64_t m_tokens, m_width;
};

/// f(vectors no longer than a row).
template <class F>
HWY_INLINE void withVectorsFor(std::int64_t width, const F &f)
{
    if constexpr (hn::MaxLanes(Wide()) > 8)
        if (width >= 8 && width < 16)
            return f(hn::CappedTag<float, 8>());
    if constexpr (hn::MaxLanes(Wide()) > 4)
        if (width >= 4 && width < 8)
            return f(hn::CappedTag<float, 4>());
    f(Wide());
}

/// scores [queries,kMostAttended].
template <int queries, class D, class T>
HWY_INLINE void makeScores(D d, const Rows<T> &keys, std::int64_t dk, const float *q, float scale, float *scores)
{
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t token = 0; token < keys.end(); token += kTogether) {
        const T *const key[kTogether] = {keys.row(token), keys.row(token + 1), keys.row(token + 2), keys.row(token + 3)};
        hn::Vec<D> sums[queries][kTogether];
        HWY_UNROLL(4)
        for (int query = 0; query < queries; ++query)
            sums[query][0] = sums[query][1] = sums[query][2] = sums[query][3] = hn::Zero(d);
        std::int64_t j = 0;
        for (; j + lanes <= dk; j += lanes) {
            HWY_UNROLL(4)
            for (std::int64_t i = 0; i < kTogether; ++i) {
                hwy::Prefetch(key[i] + j + kAhead / sizeof(T));
                const auto numbers = load(d, key[i] + j);
                HWY_UNROLL(4)
                for (int query = 0; query < queries; ++query)
                    sums[query][i] = hn::MulAdd(hn::LoadU(d, q + query * dk + j), numbers, sums[query][i]);
            }
        }
        HWY_UNROLL(4)
        for (int query = 0; query < queries; ++query) {
            float *to = scores + query * kMostAttended + token;
            storeSums(d, sums[query], scale, to);
            for (std::int64_t rest = j; rest < dk; ++rest)
                for (std::int64_t i = 0; i < kTogether; ++i)
                    to[i] += scale * q[query * dk + rest] * hn::GetLane(load(Single(), key[i] + rest));
        }
    }
}

/// Rows that are repeated weigh nothing, nor does what is behind them up to the end of a vector. Returns where that is.
HWY_INLINE std::int64_t fillUp(std::int64_t tokens, float *scores)
{
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(Wide())), whole = HWY_MAX(lanes, kTogether);
    const std::int64_t end = (tokens + whole - 1) / whole * whole;
    std::fill(scores + tokens, scores + end, kNothing);
    return end;
}

/// Scores become weights, which are to be multiplied by what is returned.
HWY_INLINE float makeWeights(std::int64_t n, float *scores, float *logSum)
{
    Maximum greatest;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR { greatest.add(d, hn::LoadU(d, scores + i)); });
    const float shift = greatest.total();
    Sum sum;
    sweep(n, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto weight = exponential(d, hn::Sub(hn::LoadU(d, scores + i), hn::Set(d, shift)));
        hn::StoreU(weight, d, scores + i);
        sum.add(d, weight);
    });
    const float total = sum.total();
    *logSum = shift + std::log(total);
    return 1 / total;
}

/// Some vectors of each query's out, which stay in registers. weights [queries,kMostAttended].
template <int queries, int vectors, class D, class T>
HWY_INLINE void sumColumns(D d, std::int64_t tokens, const T *values, std::int64_t column, const float *weights,
                           const float *factors, std::int64_t dv, float *out)
{
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    hn::Vec<D> sums[queries][vectors];
    HWY_UNROLL(4)
    for (int query = 0; query < queries; ++query)
        HWY_UNROLL(4)
        for (int vector = 0; vector < vectors; ++vector)
            sums[query][vector] = hn::Zero(d);
    for (std::int64_t token = 0; token < tokens; ++token) {
        const T *row = values + token * dv + column;
        HWY_UNROLL(4)
        for (int vector = 0; vector < vectors; ++vector) {
            hwy::Prefetch(row + vector * lanes + kAhead / sizeof(T));
            const auto numbers = load(d, row + vector * lanes);
            HWY_UNROLL(4)
            for (int query = 0; query < queries; ++query) {
                const auto weight = hn::Set(d, weights[query * kMostAttended + token]);
                sums[query][vector] = hn::MulAdd(weight, numbers, sums[query][vector]);
            }
        }
    }
    HWY_UNROLL(4)
    for (int query = 0; query < queries; ++query)
        HWY_UNROLL(4)
        for (int vector = 0; vector < vectors; ++vector)
            hn::StoreU(hn::Mul(sums[query][vector], hn::Set(d, factors[query])), d, out + query * dv + column + vector * lanes);
}

template <int queries, class T>
HWY_INLINE void attendTo(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const T *keys, const T *values,
                         float scale, float *out, float *logSum)
{
    HWY_ALIGN float weights[queries * kMostAttended];
    float factors[queries];
    const Rows<T> rows(tokens, dk, keys);
    withVectorsFor(dk, [&](auto d) HWY_ATTR { makeScores<queries>(d, rows, dk, q, scale, weights); });
    for (int query = 0; query < queries; ++query) {
        float *scores = weights + query * kMostAttended;
        factors[query] = makeWeights(fillUp(tokens, scores), scores, logSum + query);
    }
    constexpr int vectors = 4;
    const auto together = vectors * static_cast<std::int64_t>(hn::Lanes(Wide()));
    std::int64_t column = 0;
    for (; column + together <= dv; column += together)
        sumColumns<queries, vectors>(Wide(), tokens, values, column, weights, factors, dv, out);
    sweep(dv - column, [&](auto d, std::int64_t i) HWY_ATTR {
        sumColumns<queries, 1>(d, tokens, values, column + i, weights, factors, dv, out);
    });
}

/// So many queries at a time as there are registers for.
template <class T>
HWY_INLINE void attendAll(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q,
                          const T *keys, const T *values, float scale, float *out, float *logSum)
{
    constexpr std::int64_t most = 4;
    for (std::int64_t first = 0; first < queries; first += most) {
        const auto some = [&](auto count) HWY_ATTR {
            attendTo<count.value>(tokens, dk, dv, q + first * dk, keys, values, scale, out + first * dv, logSum + first);
        };
        switch (HWY_MIN(most, queries - first)) {
        case 1: some(std::integral_constant<int, 1>()); break;
        case 2: some(std::integral_constant<int, 2>()); break;
        case 3: some(std::integral_constant<int, 3>()); break;
        default: some(std::integral_constant<int, most>()); break;
        }
    }
}

void attendFloat(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q, const float *keys,
                 const float *values, float scale, float *out, float *logSum)
{
    attendAll(tokens, queries, dk, dv, q, keys, values, scale, out, logSum);
}

void attendBFloat16(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q,
                    const BFloat16 *keys, const BFloat16 *values, float scale, float *out, float *logSum)
{
    attendAll(tokens, queries, dk, dv, q, keys, values, scale, out, logSum);
}

void merge(std::int64_t ranges, std::int64_t queries, std::int64_t dv, const float *outs, const float *logSums, float *out)
{
    std::fill(out, out + queries * dv, 0.0f);
    for (std::int64_t query = 0; query < queries; ++query) {
        float greatest = logSums[query], sum = 0;
        for (std::int64_t range = 1; range < ranges; ++range)
            greatest = std::max(greatest, logSums[range * queries + query]);
        for (std::int64_t range = 0; range < ranges; ++range) {
            const std::int64_t at = range * queries + query;
            const float weight = std::exp(logSums[at] - greatest);
            accumulate(dv, weight, outs + at * dv, out + query * dv);
            sum += weight;
        }
        multiply(dv, 1 / sum, out + query * dv);
    }
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
HWY_EXPORT(merge);
HWY_EXPORT(advanceState);
HWY_EXPORT(transposed);
HWY_EXPORT(convertBFloat16);
HWY_EXPORT(centreHead);

void attend(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q, const float *keys,
            const float *values, float scale, float *out, float *logSum)
{
    HWY_DYNAMIC_DISPATCH(attendFloat)(tokens, queries, dk, dv, q, keys, values, scale, out, logSum);
}

void attend(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q, const BFloat16 *keys,
            const BFloat16 *values, float scale, float *out, float *logSum)
{
    HWY_DYNAMIC_DISPATCH(attendBFloat16)(tokens, queries, dk, dv, q, keys, values, scale, out, logSum);
}

void mergeAttention(std::int64_t ranges, std::int64_t queries, std::int64_t dv, const float *outs, const float *logSums, float *out)
{
    HWY_DYNAMIC_DISPATCH(merge)(ranges, queries, dv, outs, logSums, out);
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
