#include "kernels/quantised.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantised.cpp"
#include <hwy/foreach_target.h>

#include "kernels/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

/// x as it is, and its sums.
class Input {
public:
    template <BlockFormat format>
    HWY_INLINE void assign(std::int64_t columns, const float *x)
    {
        constexpr std::int64_t group = Block<format>::kGroup;
        m_numbers = x;
        std::fill(m_sum, m_sum + columns / group + 16, 0.0f);
        for (std::int64_t g = 0; g < columns / group && Block<format>::kHasOffsets; ++g) {
            Sum sum;
            sweep(group, [&](auto d, std::int64_t i) HWY_ATTR { sum.add(d, hn::LoadU(d, x + g * group + i)); });
            m_sum[g] = sum.total();
        }
    }

    HWY_INLINE const float *sums() const { return m_sum; }

    /// sum_g scale_g (q . x)_g of a row's blocks, in parts.
    template <BlockFormat format>
    HWY_INLINE Values products(std::int64_t blocks, Bytes row, const float *rowScale) const
    {
        constexpr std::int64_t group = Block<format>::kGroup, elements = blockElements(format);
        Values even = hn::Zero(Lanes()), odd = even;
        for (std::int64_t block = 0; block < blocks; ++block, row += blockBytes(format), rowScale += elements / group) {
            const float *input = m_numbers + block * elements;
            hwy::Prefetch(row + kAhead);
            Block<format>::quants(row, [&](std::int64_t i, hn::Vec<Integers> q) HWY_ATTR {
                const Values term = hn::Mul(hn::ConvertTo(Lanes(), q), hn::LoadU(Lanes(), input + i));
                Values &sum = i / kLanes % 2 == 0 ? even : odd;
                sum = hn::MulAdd(hn::Set(Lanes(), rowScale[i / group]), term, sum);
            });
        }
        return hn::Add(even, odd);
    }

private:
    const float *m_numbers = nullptr;
    HWY_ALIGN float m_sum[kMostColumns / 16 + 16];
};

template <BlockFormat format>
HWY_INLINE void productOf(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const float *x, float *y)
{
    constexpr std::int64_t elements = blockElements(format), perBlock = elements / Block<format>::kGroup;
    constexpr std::int64_t most = HWY_MIN(kMostColumns / elements, kMostGroups / perBlock);
    const std::int64_t blocks = W.columns / elements, rowBytes = W.rowBytes();
    Groups groups;
    Input input;
    std::fill(y, y + rows, 0.0f);
    for (std::int64_t begin = 0; begin < blocks; begin += most) {
        const std::int64_t some = HWY_MIN(most, blocks - begin);
        input.assign<format>(some * elements, x + begin * elements);
        // The scales of several whole rows at a time: to read what was just written, piece by piece, takes its time.
        const std::int64_t together = some == blocks ? HWY_MAX(1, kMostGroups / (blocks * perBlock)) : 1;
        for (std::int64_t row = 0; row < rows; row += together) {
            const std::int64_t now = HWY_MIN(together, rows - row);
            const auto bytes = reinterpret_cast<Bytes>(W.blocks) + (first + row) * rowBytes + begin * blockBytes(format);
            Block<format>::groups(now * some, bytes, groups);
            for (std::int64_t i = 0; i < now; ++i) {
                const std::int64_t own = i * some * perBlock;
                Values sum = input.products<format>(some, bytes + i * rowBytes, groups.scale + own);
                for (std::int64_t g = 0; g < some * perBlock && Block<format>::kHasOffsets; g += kLanes)
                    sum = hn::MulAdd(hn::LoadU(Lanes(), groups.offset + own + g), hn::LoadU(Lanes(), input.sums() + g), sum);
                y[row + i] += hn::GetLane(hn::SumOfLanes(Lanes(), sum));
            }
        }
    }
}

template <BlockFormat format, class T>
HWY_INLINE void unpackOf(const BlockMatrix &W, std::int64_t first, std::int64_t rows, T *values)
{
    using B = Block<format>;
    constexpr std::int64_t elements = blockElements(format), most = kMostGroups * B::kGroup / elements;
    Groups groups;
    const std::int64_t blocks = rows * (W.columns / elements);
    auto block = reinterpret_cast<Bytes>(W.blocks) + first * W.rowBytes();
    for (std::int64_t begin = 0; begin < blocks; begin += most) {
        const std::int64_t some = HWY_MIN(most, blocks - begin);
        B::groups(some, block, groups);
        for (std::int64_t i = 0; i < some; ++i, block += blockBytes(format), values += elements) {
            const std::int64_t of = i * (elements / B::kGroup);
            B::quants(block, [&](std::int64_t j, hn::Vec<Integers> q) HWY_ATTR {
                const std::int64_t g = of + j / B::kGroup;
                store(Lanes(), hn::MulAdd(hn::ConvertTo(Lanes(), q), hn::Set(Lanes(), groups.scale[g]), hn::Set(Lanes(), groups.offset[g])),
                      values + j);
            });
        }
    }
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

namespace {

/// f(a matrix without panels, its first row, rows, where they begin among those asked for): what lies in panels a row at a
/// time, copied as it lay in its file.
template <class F>
void withRows(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const F &f)
{
    const std::int64_t packed = std::clamp<std::int64_t>(W.panelRows - first, 0, rows);
    std::vector<std::byte> row(packed > 0 ? static_cast<std::size_t>(W.rowBytes()) : 0);
    for (std::int64_t i = 0; i < packed; ++i) {
        unpackRow(W, first + i, row.data());
        f(BlockMatrix{W.format, row.data(), W.columns}, 0, 1, i);
    }
    if (packed < rows)
        f(BlockMatrix{W.format, W.blocks, W.columns}, first + packed, rows - packed, packed);
}

} // namespace

void BlockInput::assign(const BlockMatrix &W, const float *x)
{
    m_numbers = x;
    if (W.panelRows > 0)
        makeBytes(W.format, W.columns, x, m_bytes);
}

void product(const BlockMatrix &W, std::int64_t first, std::int64_t rows, const BlockInput &x, float *y)
{
    const std::int64_t end = first + rows;
    std::array<float, kPanelRows> whole;
    while (first < std::min(end, W.panelRows)) {
        const std::int64_t panel = first / kPanelRows, panels = (std::min(end, W.panelRows) - first) / kPanelRows;
        const std::int64_t skipped = first % kPanelRows;
        std::int64_t done = panels * kPanelRows;
        if (skipped == 0 && panels > 0) {
            panelProduct(W, panel, panels, x.bytes(), y);
        } else {
            done = std::min(kPanelRows - skipped, end - first);
            panelProduct(W, panel, 1, x.bytes(), whole.data());
            std::copy_n(whole.data() + skipped, done, y);
        }
        first += done;
        y += done;
    }
    if (first < end)
        HWY_DYNAMIC_DISPATCH(productAll)(W, first, end - first, x.numbers(), y);
}

void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, float *values)
{
    withRows(W, first, rows, [&](const BlockMatrix &plain, std::int64_t from, std::int64_t count, std::int64_t at) {
        HWY_DYNAMIC_DISPATCH(unpackFloat)(plain, from, count, values + at * W.columns);
    });
}

void unpack(const BlockMatrix &W, std::int64_t first, std::int64_t rows, BFloat16 *values)
{
    withRows(W, first, rows, [&](const BlockMatrix &plain, std::int64_t from, std::int64_t count, std::int64_t at) {
        HWY_DYNAMIC_DISPATCH(unpackBFloat16)(plain, from, count, values + at * W.columns);
    });
}

} // namespace lens::kernels
#endif
