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

template <class T>
HWY_INLINE void transposeWords(std::int64_t rows, std::int64_t columns, const T *from, std::int64_t fromStride, T *to, std::int64_t toStride)
{
#if HWY_TARGET == HWY_SCALAR
    constexpr std::int64_t wholeRows = 0, wholeColumns = 0;
#else
    const hn::FixedTag<T, 4> four;
    const hn::Repartition<std::uint64_t, decltype(four)> two;
    const std::int64_t wholeRows = rows / 4 * 4, wholeColumns = columns / 4 * 4;
    const auto pairs = [&](auto v) HWY_ATTR { return hn::BitCast(two, v); };
    for (std::int64_t j = 0; j < wholeColumns; j += 4)
        for (std::int64_t i = 0; i < wholeRows; i += 4) {
            const T *block = from + i * fromStride + j;
            const auto a = hn::LoadU(four, block), b = hn::LoadU(four, block + fromStride);
            const auto c = hn::LoadU(four, block + 2 * fromStride), d = hn::LoadU(four, block + 3 * fromStride);
            const auto ab = pairs(hn::InterleaveLower(four, a, b)), cd = pairs(hn::InterleaveLower(four, c, d));
            const auto AB = pairs(hn::InterleaveUpper(four, a, b)), CD = pairs(hn::InterleaveUpper(four, c, d));
            T *out = to + j * toStride + i;
            hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, ab, cd)), four, out);
            hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, ab, cd)), four, out + toStride);
            hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, AB, CD)), four, out + 2 * toStride);
            hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, AB, CD)), four, out + 3 * toStride);
        }
#endif
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = i < wholeRows ? wholeColumns : 0; j < columns; ++j)
            to[j * toStride + i] = from[i * fromStride + j];
}

void transposeIntegers(std::int64_t rows, std::int64_t columns, const std::uint32_t *from, std::int64_t fromStride, std::uint32_t *to,
                       std::int64_t toStride)
{
    transposeWords(rows, columns, from, fromStride, to, toStride);
}

void transposeFloats(std::int64_t rows, std::int64_t columns, const float *from, std::int64_t fromStride, float *to, std::int64_t toStride)
{
    transposeWords(rows, columns, from, fromStride, to, toStride);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(splitNumbers);
HWY_EXPORT(transposeIntegers);
HWY_EXPORT(transposeFloats);

void split(std::int64_t n, const float *x, BFloat16 *high, BFloat16 *low)
{
    HWY_DYNAMIC_DISPATCH(splitNumbers)(n, x, high, low);
}

void transpose(std::int64_t rows, std::int64_t columns, const std::uint32_t *from, std::int64_t fromStride, std::uint32_t *to,
               std::int64_t toStride)
{
    HWY_DYNAMIC_DISPATCH(transposeIntegers)(rows, columns, from, fromStride, to, toStride);
}

void transpose(std::int64_t rows, std::int64_t columns, const float *from, std::int64_t fromStride, float *to, std::int64_t toStride)
{
    HWY_DYNAMIC_DISPATCH(transposeFloats)(rows, columns, from, fromStride, to, toStride);
}

} // namespace lens::kernels
#endif
