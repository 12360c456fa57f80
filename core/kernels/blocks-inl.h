// The integers and scales of quantised blocks as vectors, for each target that Highway compiles.
#if defined(SUPRALENS_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_BLOCKS_INL_H
#undef SUPRALENS_BLOCKS_INL_H
#else
#define SUPRALENS_BLOCKS_INL_H
#endif

#include "kernels/blockformat.h"
#include "kernels/number-inl.h"

#include <algorithm>
#include <cstring>
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

// A block's bytes become whole vectors, so that a vector must not be longer than the shortest group of equal scales.
using Lanes = hn::CappedTag<float, 16>;
using Values = hn::Vec<Lanes>;
using Integers = hn::Rebind<std::int32_t, Lanes>;
using Bits = hn::Rebind<std::uint32_t, Lanes>;
using Bytes = const std::uint8_t *;

constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Lanes()));
constexpr std::int64_t kMostGroups = 256;    // whose scales are worked out at a time
constexpr std::int64_t kMostColumns = 2048;  // of which an Input is made at a time
constexpr std::int64_t kAhead = 4096;        // bytes of the file that are fetched before they are needed

HWY_INLINE std::uint16_t halfBits(Bytes at)
{
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof(bits));
    return bits;
}

/// n float16 numbers as float32; reads and writes up to a vector beyond them.
HWY_INLINE void widen(std::int64_t n, const std::uint16_t *halves, float *wide)
{
    const hn::CappedTag<float, 8> d;
    const hn::Rebind<hwy::float16_t, decltype(d)> narrow;
    for (std::int64_t i = 0; i < n; i += static_cast<std::int64_t>(hn::Lanes(d)))
        hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t *>(halves + i))), d, wide + i);
}

HWY_INLINE hn::Vec<Integers> integers(Bytes at)
{
    return hn::PromoteTo(Integers(), hn::LoadU(hn::Rebind<std::uint8_t, Lanes>(), at));
}

HWY_INLINE hn::Vec<Integers> low(Bytes at)
{
    return hn::And(integers(at), hn::Set(Integers(), 15));
}

HWY_INLINE hn::Vec<Integers> high(Bytes at)
{
    return hn::ShiftRight<4>(integers(at));
}

/// 16 in lane i if bit (first + i) is set, else 0.
HWY_INLINE hn::Vec<Integers> fifths(std::uint32_t bits, std::int64_t first)
{
    const auto place = hn::Shl(hn::Set(Bits(), 1u), hn::Iota(Bits(), static_cast<std::uint32_t>(first)));
    const auto set = hn::Ne(hn::And(hn::Set(Bits(), bits), place), hn::Zero(Bits()));
    return hn::IfThenElseZero(hn::RebindMask(Integers(), set), hn::Set(Integers(), 16));
}

HWY_INLINE std::uint32_t word(Bytes at)
{
    std::uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

/// The scale and offset of each group of equal ones: a number is q * scale + offset.
struct Groups {
    HWY_ALIGN float scale[kMostGroups + 16];
    HWY_ALIGN float offset[kMostGroups + 16] = {};  // finite from the start: vectors reach beyond the groups that are there
    HWY_ALIGN std::uint16_t first[kMostGroups + 16], second[kMostGroups + 16] = {};  // float16 numbers of blocks
};

/// Formats whose blocks are one group with a float16 scale, and perhaps a float16 offset behind it.
template <std::int64_t bytes, int middle, bool hasOffset>
struct Simple {
    static constexpr std::int64_t kGroup = 32;
    static constexpr bool kHasOffsets = hasOffset || middle != 0;

    static HWY_INLINE void groups(std::int64_t blocks, Bytes row, Groups &groups)
    {
        for (std::int64_t i = 0; i < blocks; ++i) {
            groups.first[i] = halfBits(row + i * bytes);
            if (hasOffset)
                groups.second[i] = halfBits(row + i * bytes + 2);
        }
        widen(blocks, groups.first, groups.scale);
        if (hasOffset)
            widen(blocks, groups.second, groups.offset);
        else
            for (std::int64_t i = 0; i < blocks; ++i)
                groups.offset[i] = static_cast<float>(-middle) * groups.scale[i];
    }
};

/// Gives the integers of one block to consume(index in the block, vector), each once.
template <BlockFormat format>
struct Block;

template <>
struct Block<BlockFormat::Q4_0> : Simple<18, 8, false> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, low(block + 2 + i));
            consume(16 + i, high(block + 2 + i));
        }
    }
};

template <>
struct Block<BlockFormat::Q4_1> : Simple<20, 0, true> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, low(block + 4 + i));
            consume(16 + i, high(block + 4 + i));
        }
    }
};

template <>
struct Block<BlockFormat::Q5_0> : Simple<22, 16, false> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        const std::uint32_t bits = word(block + 2);
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::Or(low(block + 6 + i), fifths(bits, i)));
            consume(16 + i, hn::Or(high(block + 6 + i), fifths(bits, 16 + i)));
        }
    }
};

template <>
struct Block<BlockFormat::Q5_1> : Simple<24, 0, true> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        const std::uint32_t bits = word(block + 4);
        for (std::int64_t i = 0; i < 16; i += kLanes) {
            consume(i, hn::Or(low(block + 8 + i), fifths(bits, i)));
            consume(16 + i, hn::Or(high(block + 8 + i), fifths(bits, 16 + i)));
        }
    }
};

template <>
struct Block<BlockFormat::Q8_0> : Simple<34, 0, false> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        for (std::int64_t i = 0; i < 32; i += kLanes)
            consume(i, hn::PromoteTo(Integers(), hn::LoadU(hn::Rebind<std::int8_t, Lanes>(),
                                                           reinterpret_cast<const std::int8_t *>(block + 2 + i))));
    }
};

/// Q4_K and Q5_K: eight groups with six-bit scales and minima, in units of two float16 numbers.
template <std::int64_t bytes>
struct Nested {
    static constexpr std::int64_t kGroup = 32;
    static constexpr bool kHasOffsets = true;

    static HWY_INLINE void groups(std::int64_t blocks, Bytes row, Groups &groups)
    {
        HWY_ALIGN float d[kMostGroups / 8 + 16], least[kMostGroups / 8 + 16];
        for (std::int64_t i = 0; i < blocks; ++i) {
            groups.first[i] = halfBits(row + i * bytes);
            groups.second[i] = halfBits(row + i * bytes + 2);
        }
        widen(blocks, groups.first, d);
        widen(blocks, groups.second, least);
        for (std::int64_t i = 0; i < blocks; ++i) {
            const Bytes packed = row + i * bytes + 4;
            for (int g = 0; g < 8; ++g) {
                const int s = g < 4 ? packed[g] & 63 : (packed[g + 4] & 15) | (packed[g - 4] >> 6) << 4;
                const int m = g < 4 ? packed[g + 4] & 63 : packed[g + 4] >> 4 | (packed[g] >> 6) << 4;
                groups.scale[8 * i + g] = d[i] * static_cast<float>(s);
                groups.offset[8 * i + g] = -least[i] * static_cast<float>(m);
            }
        }
    }
};

template <>
struct Block<BlockFormat::Q4_K> : Nested<144> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        for (int g = 0; g < 4; ++g)
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                consume(64 * g + i, low(block + 16 + 32 * g + i));
                consume(64 * g + 32 + i, high(block + 16 + 32 * g + i));
            }
    }
};

template <>
struct Block<BlockFormat::Q5_K> : Nested<176> {
    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        for (int g = 0; g < 4; ++g)
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                consume(64 * g + i, hn::Or(low(block + 48 + 32 * g + i), fifth(block, 2 * g, i)));
                consume(64 * g + 32 + i, hn::Or(high(block + 48 + 32 * g + i), fifth(block, 2 * g + 1, i)));
            }
    }

private:
    /// Of elements i, i + 1, ... of a group: bit `group` of a byte each.
    static HWY_INLINE hn::Vec<Integers> fifth(Bytes block, int group, std::int64_t i)
    {
        const auto bit = hn::And(integers(block + 16 + i), hn::Set(Integers(), 1 << group));
        return hn::IfThenElseZero(hn::Ne(bit, hn::Zero(Integers())), hn::Set(Integers(), 16));
    }
};

template <>
struct Block<BlockFormat::Q6_K> {
    static constexpr std::int64_t kGroup = 16;
    static constexpr bool kHasOffsets = true;

    static HWY_INLINE void groups(std::int64_t blocks, Bytes row, Groups &groups)
    {
        HWY_ALIGN float d[kMostGroups / 16 + 16];
        for (std::int64_t i = 0; i < blocks; ++i)
            groups.first[i] = halfBits(row + i * 210 + 208);
        widen(blocks, groups.first, d);
        for (std::int64_t i = 0; i < blocks; ++i)
            for (int g = 0; g < 16; ++g) {
                groups.scale[16 * i + g] = d[i] * static_cast<float>(static_cast<std::int8_t>(row[i * 210 + 192 + g]));
                groups.offset[16 * i + g] = -32 * groups.scale[16 * i + g];
            }
    }

    template <class Consume>
    static HWY_INLINE void quants(Bytes block, const Consume &consume)
    {
        const auto four = hn::Set(Integers(), 15), two = hn::Set(Integers(), 3);
        for (int n = 0; n < 2; ++n)
            for (std::int64_t i = 0; i < 32; i += kLanes) {
                const auto first = integers(block + 64 * n + i), second = integers(block + 64 * n + 32 + i);
                const auto upper = integers(block + 128 + 32 * n + i);
                const std::int64_t at = 128 * n + i;
                consume(at, hn::Or(hn::And(first, four), hn::ShiftLeft<4>(hn::And(upper, two))));
                consume(at + 32, hn::Or(hn::And(second, four), hn::ShiftLeft<4>(hn::And(hn::ShiftRight<2>(upper), two))));
                consume(at + 64, hn::Or(hn::ShiftRight<4>(first), hn::ShiftLeft<4>(hn::And(hn::ShiftRight<4>(upper), two))));
                consume(at + 96, hn::Or(hn::ShiftRight<4>(second), hn::ShiftLeft<4>(hn::ShiftRight<6>(upper))));
            }
    }
};

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
