// Products of panels with several tokens at a time, for prompts and batches: a panel's integers are unpacked once for
// eight tokens.
#pragma once

#include "kernels/panels.h"

namespace lens::kernels {

/// Whether this processor multiplies bytes several times as fast as floats (AVX-512 VNNI); the rest is only for those.
bool hasTokenProducts();

constexpr std::int64_t kTokensTogether = 8;

/// How many bytes eight tokens of x take, whatever the format's groups.
std::int64_t tokenBytes(BlockFormat format, std::int64_t columns);

/// Up to eight tokens of x [tokens, columns] as integers, as exact as ByteInput is: for every matrix of the format and
/// width. `to` has tokenBytes() bytes, aligned to 4.
void makeTokenBytes(BlockFormat format, std::int64_t columns, std::int64_t tokens, const float *x, std::byte *to);

/// y[t * stride + i] = row 16 panel + i of W times token t, t < tokens <= 8, i < 16.
void multiplyTokens(const BlockMatrix &W, std::int64_t panel, std::int64_t tokens, const std::byte *x,
                    std::int64_t stride, float *y);

} // namespace lens::kernels
