#include "kernels/panels.h"

#include <algorithm>
#include <array>
#include <cstring>

#define HWY_WANT_AVX3_DL  // whose instructions multiply bytes
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/panels.cpp"
#include <hwy/foreach_target.h>

#include "kernels/panels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

bool canMultiply()
{
    return true;
}

void makeBytesOf(BlockFormat format, std::int64_t columns, const float *x, ByteInput &input)
{
    withPanel(format, [&](auto panel) HWY_ATTR { assign<decltype(panel)>(columns, x, input); });
}

void multiply(const BlockMatrix &W, std::int64_t first, std::int64_t panels, const ByteInput &x, float *y)
{
    const auto bytes = reinterpret_cast<Bytes>(W.blocks) + first * kPanelRows * W.rowBytes();
    withPanel(W.format, [&](auto format) HWY_ATTR {
        for (std::int64_t i = 0; i < panels; ++i)
            multiplyPanel<decltype(format)>(W.columns, bytes + i * kPanelRows * W.rowBytes(), x, y + i * kPanelRows);
    });
}

void splitInto(const BlockMatrix &W, std::int64_t panel, BFloat16 *high, BFloat16 *low)
{
    const auto bytes = reinterpret_cast<Bytes>(W.blocks) + panel * kPanelRows * W.rowBytes();
    const auto highWords = reinterpret_cast<std::uint32_t *>(high), lowWords = reinterpret_cast<std::uint32_t *>(low);
    withPanel(W.format, [&](auto format) HWY_ATTR {
        consumePairs<decltype(format)>(W.columns, bytes, [&](int row, std::int64_t column, Values a, Values b) HWY_ATTR {
            const std::int64_t at = column / 2 * kPanelRows + row;
            splitPair(a, b, highWords + at, lowWords + at);
        });
    });
}

void expandInto(const BlockMatrix &W, std::int64_t panel, float *to)
{
    const auto bytes = reinterpret_cast<Bytes>(W.blocks) + panel * kPanelRows * W.rowBytes();
    withPanel(W.format, [&](auto format) HWY_ATTR {
        consumePairs<decltype(format)>(W.columns, bytes, [&](int row, std::int64_t column, Values a, Values b) HWY_ATTR {
            hn::StoreU(a, Lanes(), to + column * kPanelRows + row);
            hn::StoreU(b, Lanes(), to + (column + 1) * kPanelRows + row);
        });
    });
}

/// See multiplyExpanded(); of `tokens` tokens.
template <int tokens>
HWY_INLINE void multiplySome(const ExpandedProduct &shape, const float *panel, const float *x, float *y)
{
    Values sums[tokens][kSlices];
    HWY_UNROLL(12)
    for (int t = 0; t < tokens; ++t)
        HWY_UNROLL(2)
        for (int slice = 0; slice < kSlices; ++slice)
            sums[t][slice] = shape.adds ? hn::LoadU(Lanes(), y + t * shape.yStride + slice * kRows) : hn::Zero(Lanes());
    HWY_UNROLL(4)
    for (std::int64_t column = 0; column < shape.columns; ++column) {
        Values w[kSlices];
        HWY_UNROLL(2)
        for (int slice = 0; slice < kSlices; ++slice)
            w[slice] = hn::LoadU(Lanes(), panel + column * kPanelRows + slice * kRows);
        HWY_UNROLL(12)
        for (int t = 0; t < tokens; ++t)
            HWY_UNROLL(2)
            for (int slice = 0; slice < kSlices; ++slice)
                sums[t][slice] = hn::MulAdd(w[slice], hn::Set(Lanes(), x[t * shape.xStride + column]), sums[t][slice]);
    }
    HWY_UNROLL(12)
    for (int t = 0; t < tokens; ++t)
        HWY_UNROLL(2)
        for (int slice = 0; slice < kSlices; ++slice)
            hn::StoreU(sums[t][slice], Lanes(), y + t * shape.yStride + slice * kRows);
}

/// As many tokens at a time as there are registers for, then what is left.
template <int most>
HWY_INLINE void multiplyFloats(const ExpandedProduct &shape, std::int64_t tokens, const float *panel, const float *x, float *y)
{
    for (; tokens >= most; tokens -= most, x += most * shape.xStride, y += most * shape.yStride)
        multiplySome<most>(shape, panel, x, y);
    if constexpr (most > 1)
        if (tokens > 0)
            multiplyFloats<most - 1>(shape, tokens, panel, x, y);
}

void multiplyFloatPanel(const ExpandedProduct &shape, const float *panel, const float *x, float *y)
{
    multiplyFloats<12 / kSlices>(shape, shape.tokens, panel, x, y);
}

#else

bool canMultiply()
{
    return false;
}

void makeBytesOf(BlockFormat, std::int64_t, const float *, ByteInput &)
{
}

void multiply(const BlockMatrix &, std::int64_t, std::int64_t, const ByteInput &, float *)
{
}

void splitInto(const BlockMatrix &, std::int64_t, BFloat16 *, BFloat16 *)
{
}

void expandInto(const BlockMatrix &, std::int64_t, float *)
{
}

void multiplyFloatPanel(const ExpandedProduct &, const float *, const float *, float *)
{
}

#endif

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lens::kernels {

HWY_EXPORT(canMultiply);
HWY_EXPORT(makeBytesOf);
HWY_EXPORT(multiply);
HWY_EXPORT(splitInto);
HWY_EXPORT(expandInto);
HWY_EXPORT(multiplyFloatPanel);

namespace {

/// A part of a block: whole units, unit u of 16 rows lying together, or the fifth bits of integers.
struct Field {
    std::int64_t units, unitBytes;
    bool isBits = false;
};

constexpr Field bits(std::int64_t bytes)
{
    return {bytes, 1, true};
}

constexpr std::array<Field, 4> fieldsOf(BlockFormat format)
{
    switch (format) {
    case BlockFormat::Q4_0: return {{{1, 2}, {4, 4}}};
    case BlockFormat::Q4_1: return {{{2, 2}, {4, 4}}};
    case BlockFormat::Q5_0: return {{{1, 2}, bits(4), {4, 4}}};
    case BlockFormat::Q5_1: return {{{2, 2}, bits(4), {4, 4}}};
    case BlockFormat::Q8_0: return {{{1, 2}, {8, 4}}};
    case BlockFormat::Q4_K: return {{{2, 2}, {12, 1}, {32, 4}}};
    case BlockFormat::Q5_K: return {{{2, 2}, {12, 1}, bits(32), {32, 4}}};
    case BlockFormat::Q6_K: return {{{48, 4}, {16, 1}, {1, 2}}};
    }
    return {};
}

template <std::int64_t bytes>
void gather(std::int64_t units, const std::byte *rows, std::int64_t rowBytes, std::byte *to)
{
    for (std::int64_t unit = 0; unit < units; ++unit)
        for (std::int64_t row = 0; row < kPanelRows; ++row, to += bytes)
            std::memcpy(to, rows + row * rowBytes + unit * bytes, bytes);
}

template <std::int64_t bytes>
void scatter(std::int64_t units, const std::byte *from, std::int64_t row, std::byte *to)
{
    for (std::int64_t unit = 0; unit < units; ++unit)
        std::memcpy(to + unit * bytes, from + (unit * kPanelRows + row) * bytes, bytes);
}

/// Where the bit of an element is in a block's field, and where in a panel's: 64 for each vector of four columns.
struct BitPlace {
    std::int64_t inRow, inPanel;
};

BitPlace bitPlace(std::int64_t bytes, std::int64_t row, std::int64_t element)
{
    const std::int64_t group = element / 32, column = element % 32;
    return {bytes == 4 ? column : 8 * column + group, 64 * (element / 4) + 4 * row + element % 4};
}

bool bitAt(const std::byte *field, std::int64_t place)
{
    return (field[place / 8] >> place % 8 & std::byte{1}) != std::byte{0};
}

void setBit(std::byte *field, std::int64_t place, bool is)
{
    field[place / 8] |= std::byte{is} << place % 8;
}

void gatherBits(std::int64_t bytes, const std::byte *rows, std::int64_t rowBytes, std::byte *to)
{
    std::fill(to, to + kPanelRows * bytes, std::byte{0});
    for (std::int64_t row = 0; row < kPanelRows; ++row)
        for (std::int64_t element = 0; element < 8 * bytes; ++element) {
            const BitPlace place = bitPlace(bytes, row, element);
            setBit(to, place.inPanel, bitAt(rows + row * rowBytes, place.inRow));
        }
}

void scatterBits(std::int64_t bytes, const std::byte *from, std::int64_t row, std::byte *to)
{
    std::fill(to, to + bytes, std::byte{0});
    for (std::int64_t element = 0; element < 8 * bytes; ++element) {
        const BitPlace place = bitPlace(bytes, row, element);
        setBit(to, place.inRow, bitAt(from, place.inPanel));
    }
}

} // namespace

bool hasPanelProducts()
{
    return HWY_DYNAMIC_DISPATCH(canMultiply)();
}

void packPanel(const BlockMatrix &W, std::int64_t panel, std::byte *to)
{
    const std::int64_t rowBytes = W.rowBytes();
    const std::byte *rows = W.blocks + panel * kPanelRows * rowBytes;
    for (std::int64_t block = 0; block < W.columns / blockElements(W.format); ++block)
        for (const auto &[units, unitBytes, isBits] : fieldsOf(W.format)) {
            if (isBits)
                gatherBits(units, rows, rowBytes, to);
            else if (unitBytes == 4)
                gather<4>(units, rows, rowBytes, to);
            else if (unitBytes == 2)
                gather<2>(units, rows, rowBytes, to);
            else
                gather<1>(units, rows, rowBytes, to);
            rows += units * unitBytes;
            to += units * unitBytes * kPanelRows;
        }
}

void unpackRow(const BlockMatrix &W, std::int64_t row, std::byte *to)
{
    const std::byte *from = W.blocks + row / kPanelRows * kPanelRows * W.rowBytes();
    for (std::int64_t block = 0; block < W.columns / blockElements(W.format); ++block)
        for (const auto &[units, unitBytes, isBits] : fieldsOf(W.format)) {
            if (isBits)
                scatterBits(units, from, row % kPanelRows, to);
            else if (unitBytes == 4)
                scatter<4>(units, from, row % kPanelRows, to);
            else if (unitBytes == 2)
                scatter<2>(units, from, row % kPanelRows, to);
            else
                scatter<1>(units, from, row % kPanelRows, to);
            from += units * unitBytes * kPanelRows;
            to += units * unitBytes;
        }
}

void makeBytes(BlockFormat format, std::int64_t columns, const float *x, ByteInput &input)
{
    HWY_DYNAMIC_DISPATCH(makeBytesOf)(format, columns, x, input);
}

void panelProduct(const BlockMatrix &W, std::int64_t first, std::int64_t panels, const ByteInput &x, float *y)
{
    HWY_DYNAMIC_DISPATCH(multiply)(W, first, panels, x, y);
}

void splitPanel(const BlockMatrix &W, std::int64_t panel, BFloat16 *high, BFloat16 *low)
{
    HWY_DYNAMIC_DISPATCH(splitInto)(W, panel, high, low);
}

void expandPanel(const BlockMatrix &W, std::int64_t panel, float *to)
{
    HWY_DYNAMIC_DISPATCH(expandInto)(W, panel, to);
}

void multiplyExpanded(const ExpandedProduct &shape, const float *panel, const float *x, float *y)
{
    HWY_DYNAMIC_DISPATCH(multiplyFloatPanel)(shape, panel, x, y);
}

} // namespace lens::kernels
#endif
