// Quantised matrices rearranged for processors that multiply bytes (AVX2, AVX-512, and faster its VNNI): 16 rows lie
// together, so that a vector holds the same four columns of each, a row's sum stays in its lane, and scales serve 8 or 16
// rows at a time.
#pragma once

#include "kernels/blockformat.h"
#include "kernels/number.h"

#include <vector>

namespace lens::kernels {

constexpr std::int64_t kPanelRows = 16;

/// Whether this processor multiplies panels; on others no matrix may have any.
bool hasPanelProducts();

/// Of a matrix without panels, rows 16 panel..16 panel + 15 as one, in as many bytes.
void packPanel(const BlockMatrix &W, std::int64_t panel, std::byte *to);

/// A row that lies in a panel, as it lay in its file.
void unpackRow(const BlockMatrix &W, std::int64_t row, std::byte *to);

/// x as integers: each group of columns with equal scales is scale (digit[0] 2^14 + digit[1] 2^7 + digit[2]), exact to
/// 2^-22 of its greatest number (without VNNI 2^-21, Q8_0 2^-20). What a product with panels needs to know of x; made once
/// for each x and format.
struct ByteInput {
    std::vector<std::int8_t> digit[3];  ///< [columns]
    std::vector<std::int32_t> start;    ///< [groups]: sums start here, since a panel's integers are raised to have no sign
    std::vector<float> scale, sum;      ///< [groups]
};

void makeBytes(BlockFormat format, std::int64_t columns, const float *x, ByteInput &input);

/// y[i] = row (16 first + i) of W times x, i < 16 panels. Only where hasPanelProducts().
void panelProduct(const BlockMatrix &W, std::int64_t first, std::int64_t panels, const ByteInput &x, float *y);

/// The numbers of a panel in two bfloat16 parts, pairs of neighbouring columns together: [columns/2, 16, 2]. high + low is
/// off by at most 2^-16 of it. Only where hasPanelProducts().
void splitPanel(const BlockMatrix &W, std::int64_t panel, BFloat16 *high, BFloat16 *low);

/// The numbers of a panel: [columns,16]. Only where hasPanelProducts().
void expandPanel(const BlockMatrix &W, std::int64_t panel, float *to);

/// Some columns of an expanded panel and of tokens.
struct ExpandedProduct {
    std::int64_t columns = 0, tokens = 0;
    std::int64_t xStride = 0, yStride = 0;  ///< numbers from one token to the next
    bool adds = false;                      ///< to what y holds
};

/// y[t * yStride + i] = row i of the panel [columns,16] times x[t * xStride ...], i < 16. The panel's columns should be few
/// enough for the first cache. Only where hasPanelProducts().
void multiplyExpanded(const ExpandedProduct &shape, const float *panel, const float *x, float *y);

} // namespace lens::kernels
