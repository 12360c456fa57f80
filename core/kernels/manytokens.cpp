#include "kernels/manytokens.h"

#include <cstring>

#define HWY_WANT_AVX3_DL  // whose instructions multiply bytes
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/manytokens.cpp"
#include <hwy/foreach_target.h>

#include "kernels/paneldigits-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

constexpr int kTokens = static_cast<int>(kTokensTogether);

/// A group of columns of eight tokens.
template <int columns>
struct TokenGroup {
    std::int8_t digit[kDigits][kTokens][columns];
    float scale[kTokens], sum[kTokens];
    std::int32_t start[kTokens];
};

std::int64_t sizeOf(BlockFormat format, std::int64_t columns)
{
    std::int64_t size = 0;
    withPanel(format, [&](auto panel) {
        constexpr int group = decltype(panel)::kGroup;
        size = columns / group * static_cast<std::int64_t>(sizeof(TokenGroup<group>));
    });
    return size;
}

template <class Panel>
HWY_INLINE void assignTokens(std::int64_t columns, std::int64_t tokens, const float *x,
                             TokenGroup<Panel::kGroup> *group)
{
    if (tokens < kTokens)
        std::memset(group, 0, static_cast<std::size_t>(columns / Panel::kGroup) * sizeof *group);
    for (std::int64_t column = 0; column < columns; column += Panel::kGroup, ++group)
        for (std::int64_t t = 0; t < tokens; ++t)
            assignGroup<Panel>(x + t * columns + column, {{group->digit[0][t], group->digit[1][t], group->digit[2][t]},
                                                          &group->start[t], &group->scale[t], &group->sum[t]});
}

template <class Panel, int i>
HWY_INLINE void unpackColumns(Bytes block, int group, ByteVector (*q)[kSlices])
{
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice)
        q[i][slice] = Panel::template quants<i>({block, slice * kRows}, group);
    if constexpr (4 * (i + 1) < Panel::kGroup)
        unpackColumns<Panel, i + 1>(block, group, q);
}

#if HWY_TARGET <= HWY_AVX3_DL

constexpr int kTogether = 8;

/// sums[t] += a group of columns times one digit of each token. Eight sums are under way at a time: as many as two
/// units need that take four cycles each.
template <int columns>
HWY_INLINE void addDigit(const ByteVector (*q)[kSlices], const std::int8_t (&digit)[kTokens][columns], hn::Vec<Sums> *sums)
{
#pragma GCC unroll 8
    for (int i = 0; i < columns / 4; ++i)
#pragma GCC unroll 8
        for (int t = 0; t < kTokens; ++t)
            add(sums[t], q[i][0], digit[t] + 4 * i);
}

/// A group of columns of each slice times eight tokens.
template <class Panel>
HWY_INLINE void multiplyGroup(const ByteVector (*q)[kSlices], const TokenGroup<Panel::kGroup> &x, int,
                              hn::Vec<Sums> (&sums)[kTogether][kSlices])
{
    hn::Vec<Sums> ofToken[kTokens];
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
        ofToken[t] = hn::Zero(Sums());
#pragma GCC unroll 3
    for (int digit = 0; digit < kDigits; ++digit) {
#pragma GCC unroll 8
        for (int t = 0; t < kTokens && digit > 0; ++t)
            ofToken[t] = hn::ShiftLeft<kDigitBits>(ofToken[t]);
        addDigit(q, x.digit[digit], ofToken);
    }
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
        sums[t][0] = ofToken[t];
}

#else

constexpr int kTogether = 4 / kSlices;  // tokens whose digits have sums in registers

/// A group of columns of each slice times some tokens from the first-th on.
template <class Panel>
HWY_INLINE void multiplyGroup(const ByteVector (*q)[kSlices], const TokenGroup<Panel::kGroup> &x, int first,
                              hn::Vec<Sums> (&sums)[kTogether][kSlices])
{
    constexpr int steps = kSteps<Panel>;
    for (int begin = 0; begin < Panel::kGroup / 4; begin += steps) {
        hn::Vec<DigitSums> digits[kTogether][kSlices][kDigits];
#pragma GCC unroll 4
        for (int t = 0; t < kTogether; ++t)
#pragma GCC unroll 2
            for (int slice = 0; slice < kSlices; ++slice)
#pragma GCC unroll 3
                for (int digit = 0; digit < kDigits; ++digit)
                    digits[t][slice][digit] = hn::Zero(DigitSums());
#pragma GCC unroll 8
        for (int i = begin; i < begin + steps; ++i)
#pragma GCC unroll 4
            for (int t = 0; t < kTogether; ++t)
#pragma GCC unroll 3
                for (int digit = 0; digit < kDigits; ++digit)
#pragma GCC unroll 2
                    for (int slice = 0; slice < kSlices; ++slice)
                        add(digits[t][slice][digit], q[i][slice], x.digit[digit][first + t] + 4 * i);
#pragma GCC unroll 4
        for (int t = 0; t < kTogether; ++t)
#pragma GCC unroll 2
            for (int slice = 0; slice < kSlices; ++slice) {
                const auto sum = together(digits[t][slice]);
                sums[t][slice] = begin == 0 ? sum : hn::Add(sums[t][slice], sum);
            }
    }
}

#endif

/// y += a group of columns of 16 rows times eight tokens.
template <class Panel>
HWY_INLINE void addGroupOfTokens(Bytes block, int group, const TokenGroup<Panel::kGroup> &x, Values (*y)[kSlices])
{
    ByteVector q[Panel::kGroup / 4][kSlices];
    unpackColumns<Panel, 0>(block, group, q);
    Values scale[kSlices], offset[kSlices];
    HWY_UNROLL(2)
    for (int slice = 0; slice < kSlices; ++slice) {
        scale[slice] = offset[slice] = Panel::scale({block, slice * kRows}, group);
        if constexpr (Panel::kHasOffsets)
            offset[slice] = Panel::offsets({block, slice * kRows}, group);
    }
#pragma GCC unroll 8
    for (int first = 0; first < kTokens; first += kTogether) {
        hn::Vec<Sums> sums[kTogether][kSlices];
        multiplyGroup<Panel>(q, x, first, sums);
#pragma GCC unroll 8
        for (int i = 0; i < kTogether; ++i)
#pragma GCC unroll 2
            for (int slice = 0; slice < kSlices; ++slice) {
                const int t = first + i;
                auto integers = sums[i][slice];
                Values &sum = y[t][slice];
                if constexpr (Panel::kRaised != 0)
                    integers = hn::Add(integers, hn::Set(Sums(), x.start[t]));
                sum = hn::MulAdd(hn::ConvertTo(Lanes(), integers), hn::Mul(scale[slice], hn::Set(Lanes(), x.scale[t])), sum);
                if constexpr (Panel::kHasOffsets)
                    sum = hn::MulAdd(offset[slice], hn::Set(Lanes(), x.sum[t]), sum);
            }
    }
}

template <class Panel>
HWY_INLINE void multiplyPanel(std::int64_t columns, Bytes block, std::int64_t tokens,
                              const TokenGroup<Panel::kGroup> *x, std::int64_t stride, float *y)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    constexpr int groups = static_cast<int>(elements) / Panel::kGroup;
    Values sums[kTokens][kSlices];
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 2
        for (int slice = 0; slice < kSlices; ++slice)
            sums[t][slice] = hn::Zero(Lanes());
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes)
#pragma GCC unroll 16
        for (int group = 0; group < groups; ++group, ++x)
            addGroupOfTokens<Panel>(block, group, *x, sums);
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
        if (t < tokens)
#pragma GCC unroll 2
            for (int slice = 0; slice < kSlices; ++slice)
                hn::StoreU(sums[t][slice], Lanes(), y + t * stride + slice * kRows);
}

void assignAll(BlockFormat format, std::int64_t columns, std::int64_t tokens, const float *x, std::byte *to)
{
    withPanel(format, [&](auto panel) HWY_ATTR {
        using Panel = decltype(panel);
        assignTokens<Panel>(columns, tokens, x, reinterpret_cast<TokenGroup<Panel::kGroup> *>(to));
    });
}

void multiplyAll(const BlockMatrix &W, std::int64_t panel, std::int64_t tokens, const std::byte *x, std::int64_t stride,
                 float *y)
{
    const auto bytes = reinterpret_cast<Bytes>(W.blocks) + panel * kPanelRows * W.rowBytes();
    withPanel(W.format, [&](auto format) HWY_ATTR {
        using Panel = decltype(format);
        multiplyPanel<Panel>(W.columns, bytes, tokens, reinterpret_cast<const TokenGroup<Panel::kGroup> *>(x), stride,
                             y);
    });
}

#else

std::int64_t sizeOf(BlockFormat, std::int64_t)
{
    return 0;
}

void assignAll(BlockFormat, std::int64_t, std::int64_t, const float *, std::byte *)
{
}

void multiplyAll(const BlockMatrix &, std::int64_t, std::int64_t, const std::byte *, std::int64_t, float *)
{
}

#endif

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(sizeOf);
HWY_EXPORT(assignAll);
HWY_EXPORT(multiplyAll);

std::int64_t tokenBytes(BlockFormat format, std::int64_t columns)
{
    return HWY_DYNAMIC_DISPATCH(sizeOf)(format, columns);
}

void makeTokenBytes(BlockFormat format, std::int64_t columns, std::int64_t tokens, const float *x, std::byte *to)
{
    HWY_DYNAMIC_DISPATCH(assignAll)(format, columns, tokens, x, to);
}

void multiplyTokens(const BlockMatrix &W, std::int64_t panel, std::int64_t tokens, const std::byte *x,
                    std::int64_t stride, float *y)
{
    HWY_DYNAMIC_DISPATCH(multiplyAll)(W, panel, tokens, x, stride, y);
}

} // namespace lens::kernels
#endif
