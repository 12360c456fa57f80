#include "kernels/quantised.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantised.cpp"
#include <hwy/foreach_target.h>

#include "kernels/number-inl.h"

#include <cstring>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

// A block's bytes become whole vectors, so that a vector must not be longer than the shortest run of equal scales.
using Lanes = hn::CappedTag<float, 16>;
using Values = hn::Vec<Lanes>;
using Integers = hn::Rebind<std::int32_t, Lanes>;
using Bits = hn::Rebind<std::uint32_t, Lanes>;
using Bytes = const std::uint8_t *;

constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Lanes()));

HWY_INLINE float half(Bytes at)
{
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof(bits));
    const hn::CappedTag<float, 4> wide;  // shorter conversions are emulated
    const hn::Rebind<hwy::float16_t, decltype(wide)> narrow;
    return hn::GetLane(hn::PromoteTo(wide, hn::BitCast(narrow, hn::Set(hn::RebindToUnsigned<decltype(narrow)>(), bits))));
}

HWY_INLINE hn::Vec<Integers> integers(Bytes at)
{
    return hn::PromoteTo(Integers(), hn::LoadU(hn::Rebind<std::uint8_t, Lanes>(), at));
}

HWY_INLINE Values low(Bytes at)
{
    return hn::ConvertTo(Lanes(), hn::And(integers(at), hn::Set(Integers(), 15)));
}

HWY_INLINE Values high(Bytes at)
{
    return hn::ConvertTo(Lanes(), hn::ShiftRight<4>(integers(at)));
}

/// 16 in lane i if bit (first + i) is set, else 0.
HWY_INLINE Values fifths(std::uint32_t bits, std::int64_t first)
{
    const auto place = hn::Shl(hn::Set(Bits(), 1u), hn::Iota(Bits(), static_cast<std::uint32_t>(first)));
    const auto set = hn::Ne(hn::And(hn::Set(Bits(), bits), place), hn::Zero(Bits()));
    return hn::IfThenElseZero(hn::RebindMask(Lanes(), set), hn::Set(Lanes(), 16.0f));
}

HWY_INLINE std::uint32_t word(Bytes at)
{
    std::uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

/// Six-bit scale and minimum of group i (of 8) of a Q4_K or Q5_K block, times d and dmin.
struct Group {
    float scale, minimum;

    HWY_INLINE Group(Bytes block, int i)
    {
        const Bytes packed = block + 4;
        int s = packed[i] & 63, m = packed[i + 4] & 63;
        if (i >= 4) {
            s = (packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4;
            m = packed[i + 4] >> 4 | (packed[i] >> 6) << 4;
        }
        scale = half(block) * static_cast<float>(s);
        minimum = half(block + 2) * static_cast<float>(m);
    }
};

/// Gives the numbers of one block to consume(index in the block, vector), each once.
template <BlockFormat format>
struct Block;

template <>
struct Block<BlockFormat::Q4_0> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const Values d = hn::Set(Lanes(), half(block)), middle = hn::Set(Lanes(), 8.0f);
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::Mul(hn::Sub(low(block + 2 + i), middle), d));
            consume(16 + i, hn::Mul(hn::Sub(high(block + 2 + i), middle), d));
        }
    }
};

template <>
struct Block<BlockFormat::Q4_1> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const Values d = hn::Set(Lanes(), half(block)), m = hn::Set(Lanes(), half(block + 2));
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::MulAdd(low(block + 4 + i), d, m));
            consume(16 + i, hn::MulAdd(high(block + 4 + i), d, m));
        }
    }
};

template <>
struct Block<BlockFormat::Q5_0> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const Values d = hn::Set(Lanes(), half(block)), middle = hn::Set(Lanes(), 16.0f);
        const std::uint32_t bits = word(block + 2);
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::Mul(hn::Sub(hn::Add(low(block + 6 + i), fifths(bits, i)), middle), d));
            consume(16 + i, hn::Mul(hn::Sub(hn::Add(high(block + 6 + i), fifths(bits, 16 + i)), middle), d));
        }
    }
};

template <>
struct Block<BlockFormat::Q5_1> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const Values d = hn::Set(Lanes(), half(block)), m = hn::Set(Lanes(), half(block + 2));
        const std::uint32_t bits = word(block + 4);
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::MulAdd(hn::Add(low(block + 8 + i), fifths(bits, i)), d, m));
            consume(16 + i, hn::MulAdd(hn::Add(high(block + 8 + i), fifths(bits, 16 + i)), d, m));
        }
    }
};

template <>
struct Block<BlockFormat::Q8_0> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const Values d = hn::Set(Lanes(), half(block));
        for (std::int64_t i = 0; i < 32; i += kLanes) {
            const auto bytes = hn::LoadU(hn::Rebind<std::int8_t, Lanes>(), reinterpret_cast<const std::int8_t *>(block + 2 + i));
            consume(i, hn::Mul(hn::ConvertTo(Lanes(), hn::PromoteTo(Integers(), bytes)), d));
        }
    }
};

template <>
struct Block<BlockFormat::Q4_K> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        for (int g = 0; g < 4; ++g) {
            const Group first(block, 2 * g), second(block, 2 * g + 1);
            const Bytes quants = block + 16 + 32 * g;
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                consume(64 * g + i, hn::MulSub(low(quants + i), hn::Set(Lanes(), first.scale), hn::Set(Lanes(), first.minimum)));
                consume(64 * g + 32 + i, hn::MulSub(high(quants + i), hn::Set(Lanes(), second.scale), hn::Set(Lanes(), second.minimum)));
            }
        }
    }
};

template <>
struct Block<BlockFormat::Q5_K> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        for (int g = 0; g < 4; ++g) {
            const Group first(block, 2 * g), second(block, 2 * g + 1);
            const Bytes quants = block + 48 + 32 * g;
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                consume(64 * g + i, hn::MulSub(hn::Add(low(quants + i), fifth(block, 2 * g, i)), hn::Set(Lanes(), first.scale),
                                               hn::Set(Lanes(), first.minimum)));
                consume(64 * g + 32 + i, hn::MulSub(hn::Add(high(quants + i), fifth(block, 2 * g + 1, i)),
                                                    hn::Set(Lanes(), second.scale), hn::Set(Lanes(), second.minimum)));
            }
        }
    }

private:
    /// Of elements i, i + 1, ... of a group: bit `group` of a byte each.
    static HWY_INLINE Values fifth(Bytes block, int group, std::int64_t i)
    {
        const auto bit = hn::And(integers(block + 16 + i), hn::Set(Integers(), 1 << group));
        return hn::IfThenElseZero(hn::RebindMask(Lanes(), hn::Ne(bit, hn::Zero(Integers()))), hn::Set(Lanes(), 16.0f));
    }
};

template <>
struct Block<BlockFormat::Q6_K> {
    template <class Consume>
    static HWY_INLINE void unpack(Bytes block, const Consume &consume)
    {
        const float d = half(block + 208);
        for (int n = 0; n < 2; ++n) {
            const Bytes lows = block + 64 * n, highs = block + 128 + 32 * n, scales = block + 192 + 8 * n;
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                const auto upper = integers(highs + i), first = integers(lows + i), second = integers(lows + 32 + i);
                const auto four = hn::Set(Integers(), 15), two = hn::Set(Integers(), 3);
                const auto joined = [&](auto quarter, auto bits) HWY_ATTR {
                    return hn::Or(quarter, hn::ShiftLeft<4>(hn::And(bits, two)));
                };
                emit(n, 0, i, d, scales, joined(hn::And(first, four), upper), consume);
                emit(n, 1, i, d, scales, joined(hn::And(second, four), hn::ShiftRight<2>(upper)), consume);
                emit(n, 2, i, d, scales, joined(hn::ShiftRight<4>(first), hn::ShiftRight<4>(upper)), consume);
                emit(n, 3, i, d, scales, joined(hn::ShiftRight<4>(second), hn::ShiftRight<6>(upper)), consume);
            }
        }
    }

private:
    template <class Consume>
    static HWY_INLINE void emit(int n, int part, std::int64_t i, float d, Bytes scales, hn::Vec<Integers> quants, const Consume &consume)
    {
        const auto scale = d * static_cast<float>(static_cast<std::int8_t>(scales[2 * part + i / 16]));
        const Values centred = hn::ConvertTo(Lanes(), hn::Sub(quants, hn::Set(Integers(), 32)));
        consume(128 * n + 32 * part + i, hn::Mul(hn::Set(Lanes(), scale), centred));
    }
};

template <BlockFormat format>
HWY_INLINE float rowProduct(Bytes row, std::int64_t columns, const float *x)
{
    // Four sums, so that one need not wait for the other.
    Values a = hn::Zero(Lanes()), b = a, c = a, d = a;
    for (std::int64_t column = 0; column < columns; column += blockElements(format), row += blockBytes(format), x += blockElements(format))
        Block<format>::unpack(row, [&](std::int64_t i, Values w) HWY_ATTR {
            const Values some = hn::LoadU(Lanes(), x + i);
            switch (i / kLanes % 4) {
            case 0: a = hn::MulAdd(w, some, a); break;
            case 1: b = hn::MulAdd(w, some, b); break;
            case 2: c = hn::MulAdd(w, some, c); break;
            default: d = hn::MulAdd(w, some, d); break;
            }
        });
    return hn::GetLane(hn::SumOfLanes(Lanes(), hn::Add(hn::Add(a, b), hn::Add(c, d))));
}

template <BlockFormat format>
HWY_INLINE void productOf(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    const std::int64_t rowBytes = W.rowBytes();
    auto row = reinterpret_cast<Bytes>(W.blocks) + first * rowBytes;
    for (std::int64_t i = 0; i < rows; ++i, row += rowBytes)
        y[i] = rowProduct<format>(row, W.columns, x);
}

template <BlockFormat format, class T>
HWY_INLINE void unpackOf(const BlockMatrix &W, std::int64_t first, std::int64_t rows, T *values)
{
    auto row = reinterpret_cast<Bytes>(W.blocks) + first * W.rowBytes();
    const std::int64_t blocks = rows * (W.columns / blockElements(format));
    for (std::int64_t i = 0; i < blocks; ++i, row += blockBytes(format), values += blockElements(format))
        Block<format>::unpack(row, [&](std::int64_t j, Values w) HWY_ATTR { store(Lanes(), w, values + j); });
}

/// f(BlockFormat as a constant).
template <class F>
HWY_INLINE void withFormat(BlockFormat format, const F &f)
{
    switch (format) {
    case BlockFormat::Q4_0: return f(std::integral_constant<BlockFormat, BlockFormat::Q4_0>());
    case BlockFormat::Q4_1: return f(std::integral_constant<BlockFormat, BlockFormat::Q4_1>());
    case BlockFormat::Q5_0: return f(std::integral_constant<BlockFormat, BlockFormat::Q5_0>());
    case BlockFormat::Q5_1: return f(std::integral_constant<BlockFormat, BlockFormat::Q5_1>());
    case BlockFormat::Q8_0: return f(std::integral_constant<BlockFormat, BlockFormat::Q8_0>());
    case BlockFormat::Q4_K: return f(std::integral_constant<BlockFormat, BlockFormat::Q4_K>());
    case BlockFormat::Q5_K: return f(std::integral_constant<BlockFormat, BlockFormat::Q5_K>());
    case BlockFormat::Q6_K: return f(std::integral_constant<BlockFormat, BlockFormat::Q6_K>());
    }
}

void productAll(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    withFormat(W.format, [&](auto format) HWY_ATTR { productOf<format.value>(W, first, rows, x, y); });
}

void unpackFloat(const BlockMatrix &W, std::int64_t first, std::int64_t rows, float *values)
{
    withFormat(W.format, [&](auto format) HWY_ATTR { unpackOf<format.value>(W, first, rows, values); });
}

void unpackBFloat16(const BlockMatrix &W, std::int64_t first, std::int64_t rows, BFloat16 *values)
{
    withFormat(W.format, [&](auto format) HWY_ATTR { unpackOf<format.value>(W, first, rows, values); });
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(productAll);
HWY_EXPORT(unpackFloat);
HWY_EXPORT(unpackBFloat16);

void product(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    HWY_DYNAMIC_DISPATCH(productAll)(W, first, rows, x, y);
}

void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, float *values)
{
    HWY_DYNAMIC_DISPATCH(unpackFloat)(W, first, rows, values);
}

void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, BFloat16 *values)
{
    HWY_DYNAMIC_DISPATCH(unpackBFloat16)(W, first, rows, values);
}

} // namespace lens::kernels
#endif
