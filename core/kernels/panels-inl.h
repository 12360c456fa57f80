// Products of panels with one token, and their numbers as bfloat16. Four digits of x are repeated for every row, and the
// lanes of a row sum up.
#if defined(SUPRALENS_PANELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_PANELS_INL_H
#undef SUPRALENS_PANELS_INL_H
#else
#define SUPRALENS_PANELS_INL_H
#endif

#include "kernels/paneldigits-inl.h"

#if HWY_TARGET <= HWY_AVX2

#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

constexpr std::int64_t kAhead = 6144;  // bytes that are fetched before they are needed, of this panel or the next

template <class Panel>
HWY_INLINE void assign(std::int64_t columns, const float *x, ByteInput &input)
{
    constexpr std::int64_t group = Panel::kGroup;
    const auto groups = static_cast<std::size_t>(columns / group);
    for (auto &digits : input.digit)
        digits.resize(static_cast<std::size_t>(columns));
    input.start.resize(groups);
    input.scale.resize(groups);
    input.sum.resize(groups);
    for (std::size_t i = 0; i < groups; ++i) {
        const std::int64_t at = static_cast<std::int64_t>(i) * group;
        assignGroup<Panel>(x + at,
                           {{input.digit[0].data() + at, input.digit[1].data() + at, input.digit[2].data() + at},
                            &input.start[i],
                            &input.scale[i],
                            &input.sum[i]});
    }
}

/// What a group of columns needs to know of x.
struct InputGroup {
    const std::int8_t *digit[kDigits];
    std::int32_t start;
    float scale, sum;
};

/// sums[digit] += the group's columns from `first` to `end`, times x.
template <class Panel, int first, int end>
HWY_INLINE void addColumns(Bytes block, int group, const InputGroup &x, DigitSums (&sums)[kDigits])
{
    if constexpr (first < end) {
        const Columns q = columnsOf<Panel, first / 4>(block, group);
        HWY_UNROLL(3)
        for (int digit = 0; digit < kDigits; ++digit)
            sums[digit].add(q, x.digit[digit] + first);
        addColumns<Panel, first + 4, end>(block, group, x, sums);
    }
}

/// integers += the group's columns from `first` on, times x.
template <class Panel, int first>
HWY_INLINE void addRuns(Bytes block, int group, const InputGroup &x, hn::Vec<Sums> (&integers)[kSlices])
{
    constexpr int end = first + kMostColumns<Panel>;
    const Columns q = columnsOf<Panel, first / 4>(block, group);
    DigitSums sums[kDigits] = {DigitSums::of(q, x.digit[0] + first), DigitSums::of(q, x.digit[1] + first),
                               DigitSums::of(q, x.digit[2] + first)};
    addColumns<Panel, first + 4, end>(block, group, x, sums);
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice) {
        integers[slice] = hn::Add(integers[slice], together(sums, slice));
        if constexpr (end < Panel::kGroup)
            asm("" : "+v"(integers[slice].raw));  // else GCC puts all off until the last
    }
    if constexpr (end < Panel::kGroup)
        addRuns<Panel, end>(block, group, x, integers);
}

/// sums += a group of columns of 16 rows times x.
template <class Panel>
HWY_INLINE void addGroup(Bytes block, int group, const InputGroup &x, Values (&sums)[kSlices])
{
    hn::Vec<Sums> integers[kSlices];
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice)
        integers[slice] = hn::Set(Sums(), x.start);
    addRuns<Panel, 0>(block, group, x, integers);
    HWY_UNROLL(2)
    for (int i = 0; i < kSlices; ++i) {
        const Slice slice{block, i * kRows};
        const Values scale = hn::Mul(Panel::scale(slice, group), hn::Set(Lanes(), x.scale));
        sums[i] = hn::MulAdd(hn::ConvertTo(Lanes(), integers[i]), scale, sums[i]);
        if constexpr (Panel::kHasOffsets)
            sums[i] = hn::MulAdd(Panel::offsets(slice, group), hn::Set(Lanes(), x.sum), sums[i]);
    }
}

/// y [16] = a panel times x.
template <class Panel>
HWY_INLINE void multiplyPanel(std::int64_t columns, Bytes block, const ByteInput &x, float *y)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    constexpr std::int64_t lines = (bytes + 63) / 64;
    constexpr int groups = static_cast<int>(elements) / Panel::kGroup;
    // With wide vectors a block's lines are all fetched with its first group: from memory a quarter faster than in shares. A
    // block takes narrow ones so long that each group fetches its share.
    const auto firstLine = [](int group) { return kSlices > 1 ? lines * group / groups : group == 0 ? 0 : lines; };
    Values sums[kSlices];
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice)
        sums[slice] = hn::Zero(Lanes());
    std::int64_t index = 0;
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes)
#pragma GCC unroll 16
        for (int group = 0; group < groups; ++group, ++index) {
            for (std::int64_t line = firstLine(group); line < firstLine(group + 1); ++line)
                hwy::Prefetch(block + kAhead + 64 * line);
            const std::int64_t at = index * Panel::kGroup;
            const auto i = static_cast<std::size_t>(index);
            addGroup<Panel>(block, group,
                            {{x.digit[0].data() + at, x.digit[1].data() + at, x.digit[2].data() + at},
                             x.start[i],
                             x.scale[i],
                             x.sum[i]},
                            sums);
        }
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice)
        hn::StoreU(sums[slice], Lanes(), y + slice * kRows);
}

/// consume(row, column, a, b): that column and the next of a slice that begins with that row, from the group's i-th four on.
template <class Panel, int i, class Consume>
HWY_INLINE void consumeFours(Slice slice, int group, std::int64_t column, Values scale, Values offset, const Consume &consume)
{
    const auto q = hn::BitCast(Sums(), Panel::template quants<i>(slice, group));
    const auto byte = hn::Set(Sums(), 255);
    const auto number = [&](auto integers) HWY_ATTR {
        return hn::MulAdd(hn::ConvertTo(Lanes(), hn::And(integers, byte)), scale, offset);
    };
    consume(slice.row, column, number(q), number(hn::ShiftRight<8>(q)));
    consume(slice.row, column + 2, number(hn::ShiftRight<16>(q)), number(hn::ShiftRight<24>(q)));
    if constexpr (4 * (i + 1) < Panel::kGroup)
        consumeFours<Panel, i + 1>(slice, group, column + 4, scale, offset, consume);
}

/// All columns of a panel, as numbers.
template <class Panel, class Consume>
HWY_INLINE void consumePairs(std::int64_t columns, Bytes block, const Consume &consume)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes)
#pragma GCC unroll 16
        for (int group = 0; group < static_cast<int>(elements) / Panel::kGroup; ++group)
            HWY_UNROLL(2)
            for (int i = 0; i < kSlices; ++i) {
                const Slice slice{block, i * kRows};
                const Values scale = Panel::scale(slice, group);
                Values offset = hn::Mul(scale, hn::Set(Lanes(), -Panel::kRaised));
                if constexpr (Panel::kHasOffsets)
                    offset = Panel::offsets(slice, group);
                consumeFours<Panel, 0>(slice, group, column + group * Panel::kGroup, scale, offset, consume);
            }
}

using Words = hn::FixedTag<std::uint32_t, kRows>;

/// The upper halves of two vectors' lanes, side by side: the second in the upper half.
HWY_INLINE hn::Vec<Words> upperHalves(hn::Vec<Words> first, hn::Vec<Words> second)
{
    return hn::Or(hn::ShiftRight<16>(first), hn::And(second, hn::Set(Words(), 0xFFFF0000u)));
}

/// Two columns of a slice. The first part is cut off, the second rounded: what is cut off is all in there.
HWY_INLINE void splitPair(Values a, Values b, std::uint32_t *high, std::uint32_t *low)
{
    const auto upper = hn::Set(Words(), 0xFFFF0000u), half = hn::Set(Words(), 0x8000u);
    const auto aBits = hn::BitCast(Words(), a), bBits = hn::BitCast(Words(), b);
    const auto aRest = hn::Sub(a, hn::BitCast(Lanes(), hn::And(aBits, upper)));
    const auto bRest = hn::Sub(b, hn::BitCast(Lanes(), hn::And(bBits, upper)));
    hn::StoreU(upperHalves(aBits, bBits), Words(), high);
    hn::StoreU(upperHalves(hn::Add(hn::BitCast(Words(), aRest), half), hn::Add(hn::BitCast(Words(), bRest), half)),
               Words(), low);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
#endif
