#include "kernels/manytokens.h"

#include <cstring>

#define HWY_WANT_AVX3_DL  // whose instructions multiply bytes
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/manytokens.cpp"
#include <hwy/foreach_target.h>

#include "kernels/paneldigits-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3_DL

constexpr int kTokens = static_cast<int>(kTokensTogether);

/// A group of columns of eight tokens.
template <int columns>
struct TokenGroup {
    std::int8_t digit[kDigits][kTokens][columns];
    float scale[kTokens], sum[kTokens];
    std::int32_t start[kTokens];
};

bool canMultiplyTokens()
{
    return true;
}

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
HWY_INLINE void unpackColumns(Bytes block, int group, Columns *q)
{
    q[i] = columnsOf<Panel, i>(block, group);
    if constexpr (4 * (i + 1) < Panel::kGroup)
        unpackColumns<Panel, i + 1>(block, group, q);
}

/// y += a group of columns of 16 rows times some of the tokens, from `first` on. Their sums are as many as two units that
/// take four cycles each need to be busy, and more, so that what follows them can begin.
template <class Panel, int tokens>
HWY_INLINE void addGroupOfSome(const Columns *q, Values scale, Values offset, int first,
                               const TokenGroup<Panel::kGroup> &x, Values *y)
{
    DigitSums sums[tokens][kDigits];
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t)
        sums[t][0] = sums[t][1] = sums[t][2] = DigitSums::none();
#pragma GCC unroll 8
    for (int i = 0; i < Panel::kGroup / 4; ++i)
#pragma GCC unroll 8
        for (int t = 0; t < tokens; ++t)
#pragma GCC unroll 3
            for (int digit = 0; digit < kDigits; ++digit)
                sums[t][digit].add(q[i], x.digit[digit][first + t] + 4 * i);
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) {
        auto integers = together(sums[t], 0);
        if constexpr (Panel::kRaised != 0)
            integers = hn::Add(integers, hn::Set(Sums(), x.start[first + t]));
        Values &sum = y[first + t];
        sum = hn::MulAdd(hn::ConvertTo(Lanes(), integers), hn::Mul(scale, hn::Set(Lanes(), x.scale[first + t])), sum);
        if constexpr (Panel::kHasOffsets)
            sum = hn::MulAdd(offset, hn::Set(Lanes(), x.sum[first + t]), sum);
    }
}

/// The same of all eight.
template <class Panel>
HWY_INLINE void addGroupOfTokens(Bytes block, int group, const TokenGroup<Panel::kGroup> &x, Values *y)
{
    Columns q[Panel::kGroup / 4];
    unpackColumns<Panel, 0>(block, group, q);
    const Values scale = Panel::scale({block, 0}, group);
    Values offset = scale;
    if constexpr (Panel::kHasOffsets)
        offset = Panel::offsets({block, 0}, group);
    constexpr int some = kTokens / 2;
    addGroupOfSome<Panel, some>(q, scale, offset, 0, x, y);
    addGroupOfSome<Panel, some>(q, scale, offset, some, x, y);
}

template <class Panel>
HWY_INLINE void multiplyPanel(std::int64_t columns, Bytes block, std::int64_t tokens,
                              const TokenGroup<Panel::kGroup> *x, std::int64_t stride, float *y)
{
    constexpr std::int64_t elements = blockElements(Panel::kFormat), bytes = kPanelRows * blockBytes(Panel::kFormat);
    constexpr int groups = static_cast<int>(elements) / Panel::kGroup;
    Values sums[kTokens];
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
        sums[t] = hn::Zero(Lanes());
    for (std::int64_t column = 0; column < columns; column += elements, block += bytes)
#pragma GCC unroll 16
        for (int group = 0; group < groups; ++group, ++x)
            addGroupOfTokens<Panel>(block, group, *x, sums);
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t)
        if (t < tokens)
            hn::StoreU(sums[t], Lanes(), y + t * stride);
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

bool canMultiplyTokens()
{
    return false;
}

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

HWY_EXPORT(canMultiplyTokens);
HWY_EXPORT(sizeOf);
HWY_EXPORT(assignAll);
HWY_EXPORT(multiplyAll);

bool hasTokenProducts()
{
    return HWY_DYNAMIC_DISPATCH(canMultiplyTokens)();
}

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
