// Products with panels by instructions that multiply bytes (AVX-512 VNNI). A vector of 64 bytes is four columns of 16 rows;
// four digits of x are repeated for every row, and 32 bits of each lane sum up.
#if defined(SUPRALENS_PANELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_PANELS_INL_H
#undef SUPRALENS_PANELS_INL_H
#else
#define SUPRALENS_PANELS_INL_H
#endif

#include <hwy/highway.h>

#if HWY_TARGET <= HWY_AVX3_DL

#include "kernels/panels.h"

#include <hwy/cache_control.h>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Bytes = const std::uint8_t *;
using Lanes = hn::FixedTag<float, 16>;
using Values = hn::Vec<Lanes>;
using Sums = hn::FixedTag<std::int32_t, 16>;
using ByteLanes = hn::FixedTag<std::uint8_t, 64>;
using ByteVector = hn::Vec<ByteLanes>;
using RowBytes = hn::FixedTag<std::uint8_t, 16>;

constexpr std::int64_t kAhead = 1024;  // bytes of each stretch that are fetched before they are needed

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

/// 16 more where one of 64 bits is set.
HWY_INLINE ByteVector withFifths(ByteVector four, Bytes bits)
{
    return hn::Or(four, hn::IfThenElseZero(hn::LoadMaskBits(ByteLanes(), bits), hn::Set(ByteLanes(), 16)));
}

/// float16 numbers of 16 rows.
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
/// quants<i>(): columns 4 i to 4 i + 3, raised by kRaised.
template <BlockFormat format, int raised, bool offset, bool fifths>
struct SimplePanel {
    static constexpr BlockFormat kFormat = format;
    static constexpr int kGroup = 32, kRaised = raised;
    static constexpr bool kHasOffsets = offset;
    static constexpr int kBits = 32 * (offset ? 2 : 1), kQuants = kBits + (fifths ? 64 : 0);

    static HWY_INLINE Values scale(Bytes block, int) { return halves(block); }
    static HWY_INLINE Values offsets(Bytes block, int) { return halves(block + 32); }

    template <int i>
    static HWY_INLINE ByteVector quants(Bytes block, int)
    {
        const ByteVector four = nibbles<i / 4 == 1>(block + kQuants + 64 * (i % 4));
        if constexpr (fifths)
            return withFifths(four, block + kBits + 8 * i);
        else
            return four;
    }
};

struct ByteWidePanel {
    static constexpr BlockFormat kFormat = BlockFormat::Q8_0;
    static constexpr int kGroup = 32, kRaised = 128;
    static constexpr bool kHasOffsets = false;

    static HWY_INLINE Values scale(Bytes block, int) { return halves(block); }

    template <int i>
    static HWY_INLINE ByteVector quants(Bytes block, int)
    {
        return hn::Xor(bytesAt(block + 32 + 64 * i), hn::Set(ByteLanes(), 128));
    }
};

/// Q4_K and Q5_K: eight groups with six-bit scales and minima, in units of two float16 numbers.
template <BlockFormat format, bool fifths>
struct NestedPanel {
    static constexpr BlockFormat kFormat = format;
    static constexpr int kGroup = 32, kRaised = 0;
    static constexpr bool kHasOffsets = true;
    static constexpr int kBits = 256, kQuants = kBits + (fifths ? 512 : 0);

    static HWY_INLINE Values scale(Bytes block, int group)
    {
        const auto bits = group < 4 ? hn::And(packed(block, group), hn::Set(RowBytes(), 63))
                                    : hn::Or(hn::And(packed(block, group + 4), hn::Set(RowBytes(), 15)), upperTwo(packed(block, group - 4)));
        return hn::Mul(halves(block), numbersOf(bits));
    }

    static HWY_INLINE Values offsets(Bytes block, int group)
    {
        const auto bits = group < 4 ? hn::And(packed(block, group + 4), hn::Set(RowBytes(), 63))
                                    : hn::Or(hn::ShiftRight<4>(packed(block, group + 4)), upperTwo(packed(block, group)));
        return hn::Neg(hn::Mul(halves(block + 32), numbersOf(bits)));
    }

    template <int i>
    static HWY_INLINE ByteVector quants(Bytes block, int group)
    {
        const Bytes at = block + kQuants + 64 * (group / 2 * 8 + i);
        const ByteVector four = group % 2 == 1 ? nibbles<true>(at) : nibbles<false>(at);
        if constexpr (fifths)
            return withFifths(four, block + kBits + 8 * (8 * group + i));
        else
            return four;
    }

private:
    static HWY_INLINE hn::Vec<RowBytes> packed(Bytes block, int index) { return hn::LoadU(RowBytes(), block + 64 + 16 * index); }
    static HWY_INLINE hn::Vec<RowBytes> upperTwo(hn::Vec<RowBytes> bytes) { return hn::ShiftLeft<4>(hn::ShiftRight<6>(bytes)); }
};

struct SixBitPanel {
    static constexpr BlockFormat kFormat = BlockFormat::Q6_K;
    static constexpr int kGroup = 16, kRaised = 32;
    static constexpr bool kHasOffsets = false;

    static HWY_INLINE Values scale(Bytes block, int group)
    {
        const hn::FixedTag<std::int8_t, 16> bytes;
        const auto scales = hn::LoadU(bytes, reinterpret_cast<const std::int8_t *>(block + 3072 + 16 * group));
        return hn::Mul(halves(block + 3328), hn::ConvertTo(Lanes(), hn::PromoteTo(Sums(), scales)));
    }

    /// A group is half of the 32 columns that share a pair of bits in two, and one half in four, bits.
    template <int i>
    static HWY_INLINE ByteVector quants(Bytes block, int group)
    {
        const int n = group / 8, pair = group / 2 % 4, half = group % 2;
        const Bytes four = block + 64 * (16 * n + 8 * (pair % 2) + 4 * half + i), two = block + 2048 + 64 * (8 * n + 4 * half + i);
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

/// The digits of one group, and what its sums start from.
template <class Panel>
HWY_INLINE void assignGroup(std::int64_t index, const float *x, ByteInput &input)
{
    constexpr float kMost = 126 * 65536;
    constexpr float kLeast = 1e-30f;  // below, the inverse of a scale would overflow
    constexpr std::int64_t group = Panel::kGroup, lanes = 16;
    const hn::Rebind<std::int8_t, Sums> narrow;
    auto total = hn::Zero(Lanes()), greatest = total;
    for (std::int64_t i = 0; i < group; i += lanes) {
        const Values numbers = hn::LoadU(Lanes(), x + i);
        total = hn::Add(total, numbers);
        greatest = hn::Max(greatest, hn::Abs(numbers));
    }
    const float sum = hn::GetLane(hn::SumOfLanes(Lanes(), total)), most = hn::GetLane(hn::MaxOfLanes(Lanes(), greatest));
    const auto at = static_cast<std::size_t>(index);
    input.sum[at] = sum;
    input.scale[at] = most / kMost + 0 * sum;  // what is no number must not become one; only the sum is sure to tell
    const Values inverse = hn::Set(Lanes(), most > kLeast ? kMost / most : 0);
    const auto lowest = [](auto number) HWY_ATTR { return hn::ShiftRight<24>(hn::ShiftLeft<24>(number)); };
    auto firstSum = hn::Zero(Sums()), secondSum = firstSum, thirdSum = firstSum;
    for (std::int64_t i = 0; i < group; i += lanes) {
        const auto number = hn::NearestInt(hn::Mul(hn::LoadU(Lanes(), x + i), inverse));
        const auto third = lowest(number);
        const auto rest = hn::ShiftRight<8>(hn::Sub(number, third));
        const auto second = lowest(rest), first = hn::ShiftRight<8>(hn::Sub(rest, second));
        hn::StoreU(hn::DemoteTo(narrow, first), narrow, input.digit[0].data() + index * group + i);
        hn::StoreU(hn::DemoteTo(narrow, second), narrow, input.digit[1].data() + index * group + i);
        hn::StoreU(hn::DemoteTo(narrow, third), narrow, input.digit[2].data() + index * group + i);
        firstSum = hn::Add(firstSum, first);
        secondSum = hn::Add(secondSum, second);
        thirdSum = hn::Add(thirdSum, third);
    }
    std::int32_t *start = input.start.data() + 3 * index;
    start[0] = start[1] = start[2] = 0;
    if constexpr (Panel::kRaised != 0) {
        start[0] = -Panel::kRaised * hn::GetLane(hn::SumOfLanes(Sums(), firstSum));
        start[1] = -Panel::kRaised * hn::GetLane(hn::SumOfLanes(Sums(), secondSum));
        start[2] = -Panel::kRaised * hn::GetLane(hn::SumOfLanes(Sums(), thirdSum));
    }
}

template <class Panel>
HWY_INLINE void assign(std::int64_t columns, const float *x, ByteInput &input)
{
    const std::int64_t groups = columns / Panel::kGroup;
    for (auto &digits : input.digit)
        digits.resize(static_cast<std::size_t>(columns));
    input.start.resize(static_cast<std::size_t>(3 * groups));
    input.scale.resize(static_cast<std::size_t>(groups));
    input.sum.resize(static_cast<std::size_t>(groups));
    for (std::int64_t i = 0; i < groups; ++i)
        assignGroup<Panel>(i, x + i * Panel::kGroup, input);
}

/// sums += q times four digits. In assembly: Highway does not ask the compiler for this instruction, though its target
/// implies it.
HWY_INLINE void add(hn::Vec<Sums> &sums, ByteVector q, const std::int8_t *digits)
{
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sums.raw) : "v"(q.raw), "m"(*reinterpret_cast<const std::int32_t *>(digits)));
}

struct Digits {
    const std::int8_t *first, *second, *third;
};

/// What a group of columns needs to know of x.
struct InputGroup {
    Digits digits;
    const std::int32_t *start;
    float scale, sum;
};

/// The three sums of a group, from its i-th four columns on.
template <class Panel, int i>
HWY_INLINE void addColumns(Bytes block, int group, const Digits &x, hn::Vec<Sums> &first, hn::Vec<Sums> &second, hn::Vec<Sums> &third)
{
    const ByteVector q = Panel::template quants<i>(block, group);
    add(first, q, x.first + 4 * i);
    add(second, q, x.second + 4 * i);
    add(third, q, x.third + 4 * i);
    if constexpr (4 * (i + 1) < Panel::kGroup)
        addColumns<Panel, i + 1>(block, group, x, first, second, third);
}

/// sums += a group of columns of 16 rows times x.
template <class Panel>
HWY_INLINE void addGroup(Bytes block, int group, const InputGroup &x, Values &sums)
{
    auto first = hn::Set(Sums(), x.start[0]), second = hn::Set(Sums(), x.start[1]), third = hn::Set(Sums(), x.start[2]);
    addColumns<Panel, 0>(block, group, x.digits, first, second, third);
    const auto upper = hn::ConvertTo(Lanes(), hn::Add(hn::ShiftLeft<8>(first), second));
    const auto integers = hn::MulAdd(upper, hn::Set(Lanes(), 256), hn::ConvertTo(Lanes(), third));
    sums = hn::MulAdd(integers, hn::Mul(Panel::scale(block, group), hn::Set(Lanes(), x.scale)), sums);
    if constexpr (Panel::kHasOffsets)
        sums = hn::MulAdd(Panel::offsets(block, group), hn::Set(Lanes(), x.sum), sums);
}

/// `count` panels times x, each `panels` behind the one before.
template <class Panel, int count>
HWY_INLINE void multiplyPanels(std::int64_t columns, Bytes block, std::int64_t panels, const ByteInput &x, float *y)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    constexpr int groups = static_cast<int>(elements) / Panel::kGroup;
    const std::int64_t apart = panels * columns / elements * bytes;
    Values sums[count];
    HWY_UNROLL(4)
    for (int i = 0; i < count; ++i)
        sums[i] = hn::Zero(Lanes());
    std::int64_t index = 0;
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes) {
        HWY_UNROLL(4)
        for (int i = 0; i < count; ++i)
            for (std::int64_t line = 0; line < bytes; line += 64)
                hwy::Prefetch(block + i * apart + kAhead + line);
#pragma GCC unroll 16
        for (int group = 0; group < groups; ++group, ++index) {
            const std::int64_t at = index * Panel::kGroup;
            const InputGroup input{{x.digit[0].data() + at, x.digit[1].data() + at, x.digit[2].data() + at}, x.start.data() + 3 * index,
                                   x.scale[static_cast<std::size_t>(index)], x.sum[static_cast<std::size_t>(index)]};
            HWY_UNROLL(4)
            for (int i = 0; i < count; ++i)
                addGroup<Panel>(block + i * apart, group, input, sums[i]);
        }
    }
    HWY_UNROLL(4)
    for (int i = 0; i < count; ++i)
        hn::StoreU(sums[i], Lanes(), y + i * panels * kPanelRows);
}

using Words = hn::FixedTag<std::uint32_t, 16>;

/// The upper halves of two vectors' lanes, side by side: the second in the upper half.
HWY_INLINE hn::Vec<Words> upperHalves(hn::Vec<Words> first, hn::Vec<Words> second)
{
    return hn::Or(hn::ShiftRight<16>(first), hn::And(second, hn::Set(Words(), 0xFFFF0000u)));
}

/// Two columns of 16 rows. The first part is cut off, the second rounded: what is cut off is all in there.
HWY_INLINE void splitPair(Values a, Values b, std::uint32_t *high, std::uint32_t *low)
{
    const auto upper = hn::Set(Words(), 0xFFFF0000u), half = hn::Set(Words(), 0x8000u);
    const auto aBits = hn::BitCast(Words(), a), bBits = hn::BitCast(Words(), b);
    const auto aRest = hn::Sub(a, hn::BitCast(Lanes(), hn::And(aBits, upper)));
    const auto bRest = hn::Sub(b, hn::BitCast(Lanes(), hn::And(bBits, upper)));
    hn::StoreU(upperHalves(aBits, bBits), Words(), high);
    hn::StoreU(upperHalves(hn::Add(hn::BitCast(Words(), aRest), half), hn::Add(hn::BitCast(Words(), bRest), half)), Words(), low);
}

template <class Panel, int i>
HWY_INLINE void splitFour(Bytes block, int group, Values scale, Values offset, std::uint32_t *&high, std::uint32_t *&low)
{
    const auto q = hn::BitCast(Sums(), Panel::template quants<i>(block, group));
    const auto byte = hn::Set(Sums(), 255);
    const auto number = [&](auto integers) HWY_ATTR { return hn::MulAdd(hn::ConvertTo(Lanes(), hn::And(integers, byte)), scale, offset); };
    splitPair(number(q), number(hn::ShiftRight<8>(q)), high, low);
    splitPair(number(hn::ShiftRight<16>(q)), number(hn::ShiftRight<24>(q)), high + 16, low + 16);
    high += 32;
    low += 32;
    if constexpr (4 * (i + 1) < Panel::kGroup)
        splitFour<Panel, i + 1>(block, group, scale, offset, high, low);
}

/// See splitPanel(); pairs of bfloat16 numbers as words.
template <class Panel>
HWY_INLINE void splitColumns(std::int64_t columns, Bytes block, std::uint32_t *high, std::uint32_t *low)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes)
#pragma GCC unroll 16
        for (int group = 0; group < static_cast<int>(elements) / Panel::kGroup; ++group) {
            const Values scale = Panel::scale(block, group);
            Values offset = hn::Mul(scale, hn::Set(Lanes(), -Panel::kRaised));
            if constexpr (Panel::kHasOffsets)
                offset = Panel::offsets(block, group);
            splitFour<Panel, 0>(block, group, scale, offset, high, low);
        }
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
#endif
