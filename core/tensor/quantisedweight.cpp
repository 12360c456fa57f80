#include "tensor/quantisedweight.h"

#include "kernels/manytokens.h"
#include "kernels/matrix.h"
#include "tensor/blockexpansion.h"
#include "tensor/kernelbridge.h"
#include "tensor/tileproduct.h"

#include <algorithm>
#include <c10/util/Half.h>
#include <cmath>
#include <cstring>
#include <memory>
#include <torch/library.h>

namespace lens {

namespace {

using kernels::BlockFormat;

constexpr std::int64_t kFewTokens = 4;    // for more it is cheaper to unpack a row once than to read it once for each
constexpr std::int64_t kManyTokens = 24;  // for more, a product of whole matrices is, or one by matrix tiles

std::optional<BlockFormat> formatOf(DType type)
{
    switch (type) {
    case DType::Q4_0: return BlockFormat::Q4_0;
    case DType::Q4_1: return BlockFormat::Q4_1;
    case DType::Q5_0: return BlockFormat::Q5_0;
    case DType::Q5_1: return BlockFormat::Q5_1;
    case DType::Q8_0: return BlockFormat::Q8_0;
    case DType::Q4_K: return BlockFormat::Q4_K;
    case DType::Q5_K: return BlockFormat::Q5_K;
    case DType::Q6_K: return BlockFormat::Q6_K;
    default: return std::nullopt;
    }
}

/// Where blocks have that format.
BlockFormat checkBlocks(const at::Tensor &blocks, std::int64_t format)
{
    const auto known = static_cast<BlockFormat>(format);
    TORCH_CHECK_VALUE(format >= 0 && known <= BlockFormat::Q6_K, "no such block format: ", format);
    TORCH_CHECK_VALUE(blocks.dim() == 2 && blocks.scalar_type() == at::kByte &&
                          blocks.size(1) % kernels::blockBytes(known) == 0 &&
                          (blocks.stride(1) == 1 || blocks.size(1) == 1) &&
                          (blocks.stride(0) == blocks.size(1) || blocks.size(0) < 2),
                      "blocks are bytes [rows, bytes per row], rows of whole blocks one behind the other");
    return known;
}

kernels::BlockMatrix matrixOf(const at::Tensor &blocks, std::int64_t format, std::int64_t panelRows)
{
    const BlockFormat known = checkBlocks(blocks, format);
    TORCH_CHECK_VALUE(panelRows >= 0 && panelRows <= blocks.size(0) && panelRows % kernels::kPanelRows == 0
                          && (panelRows == 0 || kernels::hasPanelProducts()),
                      "panels have ", kernels::kPanelRows, " rows, and need a processor that multiplies them");
    return {known, static_cast<const std::byte *>(blocks.const_data_ptr()),
            blocks.size(1) / kernels::blockBytes(known) * kernels::blockElements(known), panelRows};
}

at::Tensor expand(const at::Tensor &blocks, std::int64_t format, std::int64_t panelRows, at::ScalarType type)
{
    const kernels::BlockMatrix W = matrixOf(blocks, format, panelRows);
    TORCH_CHECK_VALUE(type == at::kFloat || type == at::kBFloat16, "blocks become float32 or bfloat16");
    const at::Tensor values = at::empty({blocks.size(0), W.columns}, blocks.options().dtype(type));
    withNumberType(values, [&](auto number) {
        using T = decltype(number);
        inParallel(blocks.size(0), W.columns, [&](std::int64_t begin, std::int64_t end) {
            kernels::unpack(W, begin, end - begin, numbers<T>(values) + begin * W.columns);
        });
    });
    return values;
}

/// y = x W^T, each row of W unpacked once: expanded as a whole, W would be written to memory and read from there again.
void linearByRows(const kernels::BlockMatrix &W, std::int64_t rows, const at::Tensor &x, const at::Tensor &y)
{
    const kernels::DenseMatrix<float> tokens{numbers<const float>(x), W.columns};
    inParallel(rows, W.columns * x.size(0), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(W.columns)), column(static_cast<std::size_t>(x.size(0)));
        for (std::int64_t i = begin; i < end; ++i) {
            kernels::unpack(W, i, 1, row.data());
            kernels::product(tokens, 0, x.size(0), row.data(), column.data());
            for (std::int64_t t = 0; t < x.size(0); ++t)
                numbers<float>(y)[t * rows + i] = column[static_cast<std::size_t>(t)];
        }
    });
}

/// y = x W^T, a few rows of W at a time, so that they are still in the first cache for the next token.
void linearByPanels(const kernels::BlockMatrix &W, std::int64_t rows, const at::Tensor &x, const at::Tensor &y)
{
    std::vector<kernels::BlockInput> inputs(static_cast<std::size_t>(x.size(0)));
    for (std::size_t t = 0; t < inputs.size(); ++t)
        inputs[t].assign(W, numbers<const float>(x) + static_cast<std::int64_t>(t) * W.columns);
    const auto ofToken = [&](std::size_t t) { return numbers<float>(y) + static_cast<std::int64_t>(t) * rows; };
    inParallel((rows + kernels::kPanelRows - 1) / kernels::kPanelRows, kernels::kPanelRows * W.columns,
               [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t panel = begin; panel < end; ++panel) {
                       const std::int64_t row = panel * kernels::kPanelRows, count = std::min(kernels::kPanelRows, rows - row);
                       for (std::size_t t = 0; t < inputs.size(); ++t)
                           kernels::product(W, row, count, inputs[t], ofToken(t) + row);
                   }
               });
}

/// x W^T of the rows behind the last panel.
at::Tensor linearBehindPanels(const kernels::BlockMatrix &W, const at::Tensor &x, const at::Tensor &blocks)
{
    const at::Tensor last = blocks.narrow(0, W.panelRows, blocks.size(0) - W.panelRows);
    return at::linear(x, expand(last, static_cast<std::int64_t>(W.format), 0, at::kFloat));
}

at::Tensor linearByTiles(const kernels::BlockMatrix &W, const at::Tensor &x, const at::Tensor &blocks)
{
    const at::Tensor y = tileProduct(x, W.panelRows / kernels::kPanelRows,
                                     [&](std::int64_t panel, kernels::BFloat16 *high, kernels::BFloat16 *low) {
                                         kernels::splitPanel(W, panel, high, low);
                                     });
    return W.panelRows == blocks.size(0) ? y : at::cat({y, linearBehindPanels(W, x, blocks)}, 1);
}

/// In parts of some panels and some eights of tokens, which stay in the second cache; the integers of eight tokens stay
/// in the first while panels go by.
at::Tensor linearByEights(const kernels::BlockMatrix &W, const at::Tensor &x, const at::Tensor &blocks)
{
    constexpr std::int64_t kEight = kernels::kTokensTogether, kEights = 8, kPanels = 6;
    const std::int64_t tokens = x.size(0), rows = blocks.size(0), eights = (tokens + kEight - 1) / kEight;
    const std::int64_t inputBytes = kernels::tokenBytes(W.format, W.columns);
    const at::Tensor input = at::empty({eights, inputBytes}, at::kByte), y = at::empty({tokens, rows}, x.options());
    auto *bytes = static_cast<std::byte *>(input.data_ptr());
    const auto tokensOf = [&](std::int64_t eight) { return std::min(kEight, tokens - eight * kEight); };
    inParallel(eights, kEight * W.columns, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t eight = begin; eight < end; ++eight)
            kernels::makeTokenBytes(W.format, W.columns, tokensOf(eight),
                                    numbers<const float>(x) + eight * kEight * W.columns, bytes + eight * inputBytes);
    });
    const std::int64_t panels = W.panelRows / kernels::kPanelRows;
    const std::int64_t across = (panels + kPanels - 1) / kPanels, down = (eights + kEights - 1) / kEights;
    inTurns(across * down, [&](std::int64_t part) {
        const std::int64_t firstPanel = part / down * kPanels, firstEight = part % down * kEights;
        for (std::int64_t eight = firstEight; eight < std::min(firstEight + kEights, eights); ++eight)
            for (std::int64_t panel = firstPanel; panel < std::min(firstPanel + kPanels, panels); ++panel)
                kernels::multiplyTokens(W, panel, tokensOf(eight), bytes + eight * inputBytes, rows,
                                        numbers<float>(y) + eight * kEight * rows + panel * kernels::kPanelRows);
    });
    if (W.panelRows < rows)
        y.narrow(1, W.panelRows, rows - W.panelRows).copy_(linearBehindPanels(W, x, blocks));
    return y;
}

/// In parts of some panels, which are expanded to where the second cache holds them. Some of their columns at a time are in
/// the first while tokens go by.
at::Tensor linearByExpandedPanels(const kernels::BlockMatrix &W, const at::Tensor &x, const at::Tensor &blocks)
{
    constexpr std::int64_t kColumns = 320, kMostNumbers = 3 << 14, kParts = 8;
    const std::int64_t tokens = x.size(0), rows = blocks.size(0), panels = W.panelRows / kernels::kPanelRows;
    const std::int64_t panelNumbers = kernels::kPanelRows * W.columns;
    const std::int64_t together = std::max<std::int64_t>(1, std::min(kMostNumbers / panelNumbers, panels / kParts));
    const std::int64_t runs = (W.columns + kColumns - 1) / kColumns, most = (W.columns + runs - 1) / runs;
    const at::Tensor y = at::empty({tokens, rows}, x.options());
    inTurns((panels + together - 1) / together, [&](std::int64_t part) {
        const std::int64_t first = part * together, some = std::min(together, panels - first);
        const auto expanded = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(some * panelNumbers));
        for (std::int64_t i = 0; i < some; ++i)
            kernels::expandPanel(W, first + i, expanded.get() + i * panelNumbers);
        for (std::int64_t column = 0; column < W.columns; column += most) {
            const kernels::ExpandedProduct shape{std::min(most, W.columns - column), tokens, W.columns, rows, column > 0};
            for (std::int64_t i = 0; i < some; ++i)
                kernels::multiplyExpanded(shape, expanded.get() + i * panelNumbers + column * kernels::kPanelRows,
                                          numbers<const float>(x) + column,
                                          numbers<float>(y) + (first + i) * kernels::kPanelRows);
        }
    });
    if (W.panelRows < rows)
        y.narrow(1, W.panelRows, rows - W.panelRows).copy_(linearBehindPanels(W, x, blocks));
    return y;
}

at::Tensor linearByPanelsOfMany(const kernels::BlockMatrix &W, const at::Tensor &x, const at::Tensor &blocks)
{
    if (x.size(0) > kManyTokens && kernels::hasTiles())
        return linearByTiles(W, x, blocks);
    return kernels::hasTokenProducts() ? linearByEights(W, x, blocks) : linearByExpandedPanels(W, x, blocks);
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &blocks, std::int64_t format, std::int64_t panelRows)
{
    const kernels::BlockMatrix W = matrixOf(blocks, format, panelRows);
    TORCH_CHECK_VALUE(x.scalar_type() == at::kFloat && x.dim() > 0 && x.size(-1) == W.columns, "x is float32 [...,",
                      W.columns, "]");
    const std::int64_t tokens = x.numel() / std::max<std::int64_t>(1, W.columns), rows = blocks.size(0);
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = rows;
    const at::Tensor dense = x.reshape({tokens, W.columns}).contiguous();
    if (tokens > kFewTokens && W.panelRows > 0)
        return linearByPanelsOfMany(W, dense, blocks).view(sizes);
    if (tokens > kManyTokens)
        return at::linear(x, expand(blocks, format, panelRows, at::kFloat));
    const at::Tensor y = at::empty({tokens, rows}, x.options());
    if (tokens > kFewTokens)
        linearByRows(W, rows, dense, y);
    else
        linearByPanels(W, rows, dense, y);
    return y.view(sizes);
}

TORCH_LIBRARY(supralens, library)
{
    library.def("expand_blocks(Tensor blocks, int format, int panel_rows, ScalarType dtype) -> Tensor");
    library.def("block_linear(Tensor x, Tensor blocks, int format, int panel_rows) -> Tensor");
}

TORCH_LIBRARY_IMPL(supralens, CPU, library)
{
    library.impl("expand_blocks", expand);
    library.impl("block_linear", linear);
}

at::Tensor expandElsewhere(const at::Tensor &blocks, std::int64_t format, std::int64_t panelRows, at::ScalarType type)
{
    const BlockFormat known = checkBlocks(blocks, format);
    TORCH_CHECK_VALUE(panelRows == 0, "panels are for the CPU");
    return expandedByTorch(blocks, known, type);
}

at::Tensor linearElsewhere(const at::Tensor &x, const at::Tensor &blocks, std::int64_t format, std::int64_t panelRows)
{
    return at::linear(x, expandElsewhere(blocks, format, panelRows, x.scalar_type()));
}

TORCH_LIBRARY_IMPL(supralens, CompositeExplicitAutograd, library)
{
    library.impl("expand_blocks", expandElsewhere);
    library.impl("block_linear", linearElsewhere);
}

std::uint16_t asHalf(float number)
{
    return c10::detail::fp16_ieee_from_fp32_value(number);
}

float ofHalf(std::uint16_t half)
{
    return c10::detail::fp16_ieee_to_fp32_value(half);
}

/// The integer of a scale's steps nearest to `number`, a scale of 0 having none.
int steps(float number, float scale, int least, int most)
{
    return scale == 0 ? 0 : std::clamp(static_cast<int>(std::lround(number / scale)), least, most);
}

/// 32 numbers as a scale and integers from -127 to 127.
void roundToQ8(const float *from, std::byte *to)
{
    float most = 0;
    for (int i = 0; i < 32; ++i)
        most = std::max(most, std::abs(from[i]));
    const std::uint16_t half = asHalf(most / 127);
    std::memcpy(to, &half, 2);
    for (int i = 0; i < 32; ++i)
        to[2 + i] = static_cast<std::byte>(steps(from[i], ofHalf(half), -127, 127));
}

/// 32 numbers as a scale, the least of them, and integers from 0 to 15.
void roundToQ4(const float *from, std::byte *to)
{
    const auto [least, most] = std::minmax_element(from, from + 32);
    const std::uint16_t scale = asHalf((*most - *least) / 15), offset = asHalf(*least);
    std::memcpy(to, &scale, 2);
    std::memcpy(to + 2, &offset, 2);
    for (int i = 0; i < 16; ++i) {
        const int low = steps(from[i] - ofHalf(offset), ofHalf(scale), 0, 15);
        const int high = steps(from[16 + i] - ofHalf(offset), ofHalf(scale), 0, 15);
        to[4 + i] = static_cast<std::byte>(low | high << 4);
    }
}

/// Looked up once.
template <class Signature>
auto operatorNamed(const char *name)
{
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

} // namespace

QuantisedWeight::QuantisedWeight(at::Tensor blocks, BlockFormat format, std::int64_t panelRows)
    : m_blocks(std::move(blocks)), m_matrix(matrixOf(m_blocks, static_cast<std::int64_t>(format), panelRows))
{
}

std::optional<QuantisedWeight> QuantisedWeight::from(const at::Tensor &blocks, DType type)
{
    const auto format = formatOf(type);
    if (!format || blocks.dim() != 2 || blocks.scalar_type() != at::kByte || !blocks.is_contiguous() || !blocks.is_cpu()
        || blocks.size(1) % kernels::blockBytes(*format) != 0)
        return std::nullopt;
    return QuantisedWeight(blocks, *format);
}

QuantisedWeight QuantisedWeight::rounded(const at::Tensor &values, DType type)
{
    const at::Tensor dense = values.contiguous();
    const BlockLayout layout = blockLayout(type);
    const std::int64_t rows = dense.size(0), columns = dense.size(1), perRow = columns / layout.elements;
    const at::Tensor blocks = at::empty({rows, perRow * layout.bytes}, at::kByte);
    inParallel(rows * perRow, layout.elements, [&](std::int64_t begin, std::int64_t end) {
        const float *from = numbers<const float>(dense) + begin * layout.elements;
        auto *to = static_cast<std::byte *>(blocks.data_ptr()) + begin * layout.bytes;
        for (std::int64_t i = begin; i < end; ++i, from += layout.elements, to += layout.bytes)
            type == DType::Q8_0 ? roundToQ8(from, to) : roundToQ4(from, to);
    });
    QuantisedWeight weight = from(blocks, type).value();
    weight.m_loss = {(dense - weight.expanded()).square().sum(at::kDouble).item<double>(),
                     dense.square().sum(at::kDouble).item<double>()};
    return weight;
}

QuantisedWeight QuantisedWeight::packed() const
{
    const std::int64_t panels = rows() / kernels::kPanelRows;
    if (!kernels::hasPanelProducts() || m_matrix.panelRows > 0 || panels == 0)
        return *this;
    const at::Tensor blocks = at::empty_like(m_blocks);
    auto *to = static_cast<std::byte *>(blocks.data_ptr());
    const std::int64_t panelBytes = kernels::kPanelRows * m_matrix.rowBytes();
    inParallel(panels, panelBytes, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t panel = begin; panel < end; ++panel)
            kernels::packPanel(m_matrix, panel, to + panel * panelBytes);
    });
    std::copy(m_matrix.blocks + panels * panelBytes, m_matrix.blocks + bytes(), to + panels * panelBytes);
    QuantisedWeight weight(blocks, m_matrix.format, panels * kernels::kPanelRows);
    weight.m_loss = m_loss;
    return weight;
}

QuantisedWeight QuantisedWeight::narrow(std::int64_t first, std::int64_t rows) const
{
    TORCH_CHECK(m_matrix.panelRows == 0, "rows are taken before they are packed");
    return {m_blocks.narrow(0, first, rows), m_matrix.format};
}

at::Tensor QuantisedWeight::expanded(at::ScalarType type) const
{
    static const auto op = operatorNamed<at::Tensor(const at::Tensor &, std::int64_t, std::int64_t, at::ScalarType)>(
        "supralens::expand_blocks");
    return op.call(m_blocks, static_cast<std::int64_t>(m_matrix.format), m_matrix.panelRows, type);
}

at::Tensor QuantisedWeight::rowsAt(const at::Tensor &indices) const
{
    std::vector<std::int64_t> sizes = indices.sizes().vec();
    sizes.push_back(columns());
    const at::Tensor wanted = indices.contiguous(), values = at::empty(sizes);
    const std::int64_t *index = wanted.const_data_ptr<std::int64_t>();
    TORCH_CHECK_INDEX(
        std::all_of(index, index + wanted.numel(), [&](std::int64_t row) { return row >= 0 && row < rows(); }),
        "index out of range: there are ", rows(), " rows");
    inParallel(wanted.numel(), columns(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            kernels::unpack(m_matrix, index[i], 1, numbers<float>(values) + i * columns());
    });
    return values;
}

at::Tensor QuantisedWeight::linear(const at::Tensor &x) const
{
    static const auto op =
        operatorNamed<at::Tensor(const at::Tensor &, const at::Tensor &, std::int64_t, std::int64_t)>(
            "supralens::block_linear");
    return op.call(x, m_blocks, static_cast<std::int64_t>(m_matrix.format), m_matrix.panelRows);
}

} // namespace lens
