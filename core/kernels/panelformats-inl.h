// How panels hold the integers, scales and offsets of each block format, read by instructions for bytes: 64 bytes are four
// columns of 16 rows, which are one vector of AVX-512 or two of AVX2.
#if defined(SUPRALENS_PANELFORMATS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_PANELFORMATS_INL_H
#undef SUPRALENS_PANELFORMATS_INL_H
#else
#define SUPRALENS_PANELFORMATS_INL_H
#endif

#include <hwy/highway.h>

#if HWY_TARGET <= HWY_AVX2

#include "kernels/panels.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Bytes = const std::uint8_t *;

constexpr int kRows = HWY_TARGET <= HWY_AVX3 ? 16 : 8;  // that a vector has lanes of 32 bits for
constexpr int kSlices = static_cast<int>(kPanelRows) / kRows;

using Lanes = hn::FixedTag<float, kRows>;
using Values = hn::Vec<Lanes>;
using Sums = hn::FixedTag<std::int32_t, kRows>;
using ByteLanes = hn::FixedTag<std::uint8_t, 4 * kRows>;
using ByteVector = hn::Vec<ByteLanes>;
using RowBytes = hn::FixedTag<std::uint8_t, kRows>;

/// The rows of a panel's block that are one vector. Offsets are those of fields in the block, whose units have a row each.
struct Slice {
    Bytes block;
    int row;  ///< the first

    HWY_INLINE Bytes words(int offset) const { return block + offset + 4 * row; }
    HWY_INLINE Bytes halves(int offset) const { return block + offset + 2 * row; }
    HWY_INLINE Bytes bytes(int offset) const { return block + offset + row; }
    HWY_INLINE Bytes bits(int offset) const { return block + offset + row / 2; }  ///< four a row
};

HWY_INLINE ByteVector bytesAt(Bytes at)
{
    return hn::LoadU(ByteLanes(), at);
}

template <int bits>
HWY_INLINE ByteVector down(ByteVector bytes)
{
    const hn::Repartition<std::uint16_t, ByteLanes> pairs;
    return hn::BitCast(ByteLanes(), hn::ShiftRight<bits>(hn::BitCast(pairs, bytes)));
}

template <int bits>
HWY_INLINE ByteVector up(ByteVector bytes)
{
    const hn::Repartition<std::uint16_t, ByteLanes> pairs;
    return hn::BitCast(ByteLanes(), hn::ShiftLeft<bits>(hn::BitCast(pairs, bytes)));
}

HWY_INLINE ByteVector only(ByteVector bytes, std::uint8_t bits)
{
    return hn::And(bytes, hn::Set(ByteLanes(), bits));
}

/// The lower or upper four bits of each byte.
template <bool upper>
HWY_INLINE ByteVector nibbles(Bytes at)
{
    if constexpr (upper)
        return only(down<4>(bytesAt(at)), 15);
    else
        return only(bytesAt(at), 15);
}

/// 16 more where a bit is set.
HWY_INLINE ByteVector withFifths(ByteVector four, Bytes bits)
{
    return hn::Or(four, hn::IfThenElseZero(hn::LoadMaskBits(ByteLanes(), bits), hn::Set(ByteLanes(), 16)));
}

/// float16 numbers of a slice.
HWY_INLINE Values halves(Bytes at)
{
    const hn::Rebind<hwy::float16_t, Lanes> narrow;
    return hn::PromoteTo(Lanes(), hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t *>(at)));
}

HWY_INLINE Values numbersOf(hn::Vec<RowBytes> bytes)
{
    return hn::ConvertTo(Lanes(), hn::PromoteTo(Sums(), bytes));
}

/// Blocks that are one group with a float16 scale, and perhaps a float16 offset behind it. The integers of group g are
/// quants<i>(): columns 4 i to 4 i + 3, raised by kRaised, at most kRaisedMost; without that they are at most kGreatest.
template <BlockFormat format, int raised, bool offset, bool fifths>
struct SimplePanel {
    static constexpr BlockFormat kFormat = format;
    static constexpr int kGroup = 32, kRaised = raised, kRaisedMost = fifths ? 31 : 15;
    static constexpr int kGreatest = raised != 0 ? raised : kRaisedMost;
    static constexpr bool kHasOffsets = offset;
    static constexpr int kBits = 32 * (offset ? 2 : 1), kQuants = kBits + (fifths ? 64 : 0);

    static HWY_INLINE Values scale(Slice slice, int) { return halves(slice.halves(0)); }
    static HWY_INLINE Values offsets(Slice slice, int) { return halves(slice.halves(32)); }

    template <int i>
    static HWY_INLINE ByteVector quants(Slice slice, int)
    {
        const ByteVector four = nibbles<i / 4 == 1>(slice.words(kQuants + 64 * (i % 4)));
        if constexpr (fifths)
            return withFifths(four, slice.bits(kBits + 8 * i));
        else
            return four;
    }
};

struct ByteWidePanel {
    static constexpr BlockFormat kFormat = BlockFormat::Q8_0;
    static constexpr int kGroup = 32, kRaised = 128, kRaisedMost = 255, kGreatest = 128;
    static constexpr bool kHasOffsets = false;

    static HWY_INLINE Values scale(Slice slice, int) { return halves(slice.halves(0)); }

    template <int i>
    static HWY_INLINE ByteVector quants(Slice slice, int)
    {
        return hn::Xor(bytesAt(slice.words(32 + 64 * i)), hn::Set(ByteLanes(), 128));
    }
};

/// Q4_K and Q5_K: eight groups with six-bit scales and minima, in units of two float16 numbers.
template <BlockFormat format, bool fifths>
struct NestedPanel {
    static constexpr BlockFormat kFormat = format;
    static constexpr int kGroup = 32, kRaised = 0, kRaisedMost = fifths ? 31 : 15, kGreatest = kRaisedMost;
    static constexpr bool kHasOffsets = true;
    static constexpr int kBits = 256, kQuants = kBits + (fifths ? 512 : 0);

    static HWY_INLINE Values scale(Slice slice, int group)
    {
        const auto bits = group < 4 ? hn::And(packed(slice, group), hn::Set(RowBytes(), 63))
                                    : hn::Or(hn::And(packed(slice, group + 4), hn::Set(RowBytes(), 15)),
                                             upperTwo(packed(slice, group - 4)));
        return hn::Mul(halves(slice.halves(0)), numbersOf(bits));
    }

    static HWY_INLINE Values offsets(Slice slice, int group)
    {
        const auto bits = group < 4
                              ? hn::And(packed(slice, group + 4), hn::Set(RowBytes(), 63))
                              : hn::Or(hn::ShiftRight<4>(packed(slice, group + 4)), upperTwo(packed(slice, group)));
        return hn::Neg(hn::Mul(halves(slice.halves(32)), numbersOf(bits)));
    }

    template <int i>
    static HWY_INLINE ByteVector quants(Slice slice, int group)
    {
        const Bytes at = slice.words(kQuants + 64 * (group / 2 * 8 + i));
        const ByteVector four = group % 2 == 1 ? nibbles<true>(at) : nibbles<false>(at);
        if constexpr (fifths)
            return withFifths(four, slice.bits(kBits + 8 * (8 * group + i)));
        else
            return four;
    }

private:
    static HWY_INLINE hn::Vec<RowBytes> packed(Slice slice, int index)
    {
        return hn::LoadU(RowBytes(), slice.bytes(64 + 16 * index));
    }
    static HWY_INLINE hn::Vec<RowBytes> upperTwo(hn::Vec<RowBytes> bytes)
    {
        return hn::ShiftLeft<4>(hn::ShiftRight<6>(bytes));
    }
};

struct SixBitPanel {
    static constexpr BlockFormat kFormat = BlockFormat::Q6_K;
    static constexpr int kGroup = 16, kRaised = 32, kRaisedMost = 63, kGreatest = 32;
    static constexpr bool kHasOffsets = false;

    static HWY_INLINE Values scale(Slice slice, int group)
    {
        const hn::FixedTag<std::int8_t, kRows> bytes;
        const auto scales = hn::LoadU(bytes, reinterpret_cast<const std::int8_t *>(slice.bytes(3072 + 16 * group)));
        return hn::Mul(halves(slice.halves(3328)), hn::ConvertTo(Lanes(), hn::PromoteTo(Sums(), scales)));
    }

    /// A group is half of the 32 columns that share a pair of bits in two, and one half in four, bits.
    template <int i>
    static HWY_INLINE ByteVector quants(Slice slice, int group)
    {
        const int n = group / 8, pair = group / 2 % 4, half = group % 2;
        const Bytes four = slice.words(64 * (16 * n + 8 * (pair % 2) + 4 * half + i)),
                    two = slice.words(2048 + 64 * (8 * n + 4 * half + i));
        switch (pair) {
        case 0: return hn::Or(nibbles<false>(four), only(up<4>(bytesAt(two)), 48));
        case 1: return hn::Or(nibbles<false>(four), only(up<2>(bytesAt(two)), 48));
        case 2: return hn::Or(nibbles<true>(four), only(bytesAt(two), 48));
        default: return hn::Or(nibbles<true>(four), only(down<2>(bytesAt(two)), 48));
        }
    }
};

/// f(the panel of a format).
template <class F>
HWY_INLINE void withPanel(BlockFormat format, const F &f)
{
    switch (format) {
    case BlockFormat::Q4_0: return f(SimplePanel<BlockFormat::Q4_0, 8, false, false>());
    case BlockFormat::Q4_1: return f(SimplePanel<BlockFormat::Q4_1, 0, true, false>());
    case BlockFormat::Q5_0: return f(SimplePanel<BlockFormat::Q5_0, 16, false, true>());
    case BlockFormat::Q5_1: return f(SimplePanel<BlockFormat::Q5_1, 0, true, true>());
    case BlockFormat::Q8_0: return f(ByteWidePanel());
    case BlockFormat::Q4_K: return f(NestedPanel<BlockFormat::Q4_K, false>());
    case BlockFormat::Q5_K: return f(NestedPanel<BlockFormat::Q5_K, true>());
    case BlockFormat::Q6_K: return f(SixBitPanel());
    }
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
#endif
