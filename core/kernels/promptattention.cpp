#include "kernels/promptattention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/promptattention.cpp"
#include <hwy/foreach_target.h>

#include "kernels/exponential-inl.h"

#ifndef SUPRALENS_PROMPTATTENTION_ONCE
#define SUPRALENS_PROMPTATTENTION_ONCE
namespace lens::kernels {

constexpr std::int64_t kKeys = 128;  // of the cache at a time
constexpr int kRows = 6;             // queries at a time
constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// What the rows, a query each, share: heads of a token lie together.
struct PromptRows {
    std::int64_t count;
    float *q;         // [rows,dk], scaled
    float *sums;      // [rows,dv], of weights times values
    float *greatest;  // [rows], score so far
    float *total;     // [rows], of weights
    float *keys;      // [dk,kKeys], of the present block
};

inline PromptRows rowsIn(const PromptAttention &shape, float *scratch)
{
    const std::int64_t count = shape.tokens * shape.heads;
    float *sums = scratch + count * shape.dk, *greatest = sums + count * shape.dv;
    return {count, scratch, sums, greatest, greatest + count, greatest + 2 * count};
}

/// What a row sees.
struct Range {
    std::int64_t begin, end;
};

inline Range visible(const PromptAttention &shape, std::int64_t row)
{
    const std::int64_t end = shape.before + row / shape.heads + 1;
    return {shape.window > 0 ? std::max<std::int64_t>(0, end - shape.window) : 0, end};
}

} // namespace lens::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3
constexpr int kVectors = 4;  // rows times vectors are the sums that are kept in registers
#else
constexpr int kVectors = 2;
#endif

template <class T>
HWY_INLINE void start(const PromptAttention &shape, const T *q, const PromptRows &rows)
{
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const T *from = q + row / shape.heads * shape.queryToken + row % shape.heads * shape.queryHead;
        float *to = rows.q + row * shape.dk;
        sweep(shape.dk, [&](auto d, std::int64_t i) HWY_ATTR {
            hn::StoreU(hn::Mul(load(d, from + i), hn::Set(d, shape.scale)), d, to + i);
        });
    }
    std::fill_n(rows.sums, rows.count * shape.dv, 0.0f);
    std::fill_n(rows.greatest, rows.count, kNothing);
    std::fill_n(rows.total, rows.count, 0.0f);
}

template <class T>
HWY_INLINE void transpose(std::int64_t some, std::int64_t dk, const T *keys, float *to)
{
    for (std::int64_t key = 0; key < some; ++key)
        sweep(dk, [&](auto d, std::int64_t i) HWY_ATTR {
            HWY_ALIGN float numbers[hn::MaxLanes(Wide())];
            hn::StoreU(load(d, keys + key * dk + i), d, numbers);
            for (std::size_t lane = 0; lane < hn::Lanes(d); ++lane)
                to[(i + static_cast<std::int64_t>(lane)) * kKeys + key] = numbers[lane];
        });
    for (std::int64_t i = 0; i < dk && some < kKeys; ++i)
        std::fill(to + i * kKeys + some, to + (i + 1) * kKeys, 0.0f);
}

/// scores [rows,kKeys] = q times some vectors of keys.
template <int rows>
HWY_INLINE void makeScores(std::int64_t dk, const float *q, const float *keys, float *scores)
{
    const Wide d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    hn::Vec<Wide> sums[rows][kVectors];
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 4
        for (int vector = 0; vector < kVectors; ++vector)
            sums[row][vector] = hn::Zero(d);
    for (std::int64_t i = 0; i < dk; ++i, keys += kKeys) {
        hn::Vec<Wide> key[kVectors];
#pragma GCC unroll 4
        for (int vector = 0; vector < kVectors; ++vector)
            key[vector] = hn::LoadU(d, keys + vector * lanes);
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
            const auto number = hn::Set(d, q[row * dk + i]);
#pragma GCC unroll 4
            for (int vector = 0; vector < kVectors; ++vector)
                sums[row][vector] = hn::MulAdd(number, key[vector], sums[row][vector]);
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 4
        for (int vector = 0; vector < kVectors; ++vector)
            hn::StoreU(sums[row][vector], d, scores + row * kKeys + vector * lanes);
}

/// sums [rows,dv] += weights [rows,kKeys] times some vectors of values [keys,dv].
template <int rows, int vectors, class D, class T>
HWY_INLINE void addValues(D d, std::int64_t keys, std::int64_t dv, const float *weights, const T *values, float *to)
{
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    hn::Vec<D> sums[rows][vectors];
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 4
        for (int vector = 0; vector < vectors; ++vector)
            sums[row][vector] = hn::LoadU(d, to + row * dv + vector * lanes);
    for (std::int64_t key = 0; key < keys; ++key, values += dv) {
        hn::Vec<D> value[vectors];
#pragma GCC unroll 4
        for (int vector = 0; vector < vectors; ++vector)
            value[vector] = load(d, values + vector * lanes);
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
            const auto weight = hn::Set(d, weights[row * kKeys + key]);
#pragma GCC unroll 4
            for (int vector = 0; vector < vectors; ++vector)
                sums[row][vector] = hn::MulAdd(weight, value[vector], sums[row][vector]);
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 4
        for (int vector = 0; vector < vectors; ++vector)
            hn::StoreU(sums[row][vector], d, to + row * dv + vector * lanes);
}

/// A row's scores become weights relative to its greatest score so far, and what was summed up is brought to the same.
HWY_INLINE void weigh(const PromptRows &rows, std::int64_t row, std::int64_t dv, float *scores)
{
    Maximum greatest;
    sweep(kKeys, [&](auto d, std::int64_t i) HWY_ATTR { greatest.add(d, hn::LoadU(d, scores + i)); });
    const float before = rows.greatest[row], now = std::max(before, greatest.total());
    Sum sum;
    sweep(kKeys, [&](auto d, std::int64_t i) HWY_ATTR {
        const auto weight = exponential(d, hn::Sub(hn::LoadU(d, scores + i), hn::Set(d, now)));
        hn::StoreU(weight, d, scores + i);
        sum.add(d, weight);
    });
    const float kept = std::exp(before - now);
    rows.greatest[row] = now;
    rows.total[row] = rows.total[row] * kept + sum.total();
    if (before == now)
        return;
    float *sums = rows.sums + row * dv;
    sweep(dv, [&](auto d, std::int64_t i)
                  HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, sums + i), hn::Set(d, kept)), d, sums + i); });
}

/// Some rows and a block of the cache that begins at `key`.
template <int some, class T>
HWY_INLINE void attendBlock(const PromptAttention &shape, const PromptRows &rows, std::int64_t first, std::int64_t key,
                            const T *values)
{
    const Range earliest = visible(shape, first), latest = visible(shape, first + some - 1);
    if (key >= latest.end || key + kKeys <= earliest.begin)
        return;
    HWY_ALIGN float scores[kRows * kKeys];
    const std::int64_t keys = std::min(kKeys, latest.end - key),
                       together = kVectors * static_cast<std::int64_t>(hn::Lanes(Wide()));
    for (std::int64_t i = 0; i < keys; i += together)
        makeScores<some>(shape.dk, rows.q + first * shape.dk, rows.keys + i, scores + i);
    for (int i = 0; i < some; ++i) {
        float *own = scores + i * kKeys;
        const Range seen = visible(shape, first + i);
        const std::int64_t begin = std::clamp<std::int64_t>(seen.begin - key, 0, kKeys),
                           end = std::clamp<std::int64_t>(seen.end - key, begin, kKeys);
        if (begin == end) {
            std::fill_n(own, kKeys, 0.0f);
            continue;
        }
        std::fill(own, own + begin, kNothing);
        std::fill(own + end, own + kKeys, kNothing);
        weigh(rows, first + i, shape.dv, own);
    }
    float *to = rows.sums + first * shape.dv;
    const T *from = values + key * shape.dv;
    std::int64_t column = 0;
    for (; column + together <= shape.dv; column += together)
        addValues<some, kVectors>(Wide(), keys, shape.dv, scores, from + column, to + column);
    sweep(shape.dv - column, [&](auto d, std::int64_t i) HWY_ATTR {
        addValues<some, 1>(d, keys, shape.dv, scores, from + column + i, to + column + i);
    });
}

template <class T>
HWY_INLINE void attendTo(const PromptAttention &shape, const T *q, const T *keys, const T *values, float *scratch,
                         T *out)
{
    const PromptRows rows = rowsIn(shape, scratch);
    start(shape, q, rows);
    const std::int64_t last = shape.before + shape.tokens;
    for (std::int64_t key = visible(shape, 0).begin / kKeys * kKeys; key < last; key += kKeys) {
        transpose(std::min(kKeys, last - key), shape.dk, keys + key * shape.dk, rows.keys);
        std::int64_t row = 0;
        for (; row + kRows <= rows.count; row += kRows)
            attendBlock<kRows>(shape, rows, row, key, values);
        for (; row < rows.count; ++row)
            attendBlock<1>(shape, rows, row, key, values);
    }
    for (std::int64_t row = 0; row < rows.count; ++row) {
        T *to = out + row / shape.heads * shape.outToken + row % shape.heads * shape.outHead;
        const float *sums = rows.sums + row * shape.dv;
        const float factor = 1 / rows.total[row];
        sweep(shape.dv, [&](auto d, std::int64_t i)
                            HWY_ATTR { store(d, hn::Mul(hn::LoadU(d, sums + i), hn::Set(d, factor)), to + i); });
    }
}

void attendFloat(const PromptAttention &shape, const float *q, const float *keys, const float *values, float *scratch,
                 float *out)
{
    attendTo(shape, q, keys, values, scratch, out);
}

void attendBFloat16(const PromptAttention &shape, const BFloat16 *q, const BFloat16 *keys, const BFloat16 *values,
                    float *scratch, BFloat16 *out)
{
    attendTo(shape, q, keys, values, scratch, out);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(attendFloat);
HWY_EXPORT(attendBFloat16);

std::int64_t scratchOf(const PromptAttention &shape)
{
    return shape.tokens * shape.heads * (shape.dk + shape.dv + 2) + shape.dk * kKeys;
}

void attendMany(const PromptAttention &shape, const float *q, const float *keys, const float *values, float *scratch,
                float *out)
{
    HWY_DYNAMIC_DISPATCH(attendFloat)(shape, q, keys, values, scratch, out);
}

void attendMany(const PromptAttention &shape, const BFloat16 *q, const BFloat16 *keys, const BFloat16 *values,
                float *scratch, BFloat16 *out)
{
    HWY_DYNAMIC_DISPATCH(attendBFloat16)(shape, q, keys, values, scratch, out);
}

} // namespace lens::kernels
#endif
