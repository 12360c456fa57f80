// GGUF's quantised blocks, as the GGUF specification and ggml's block structures lay them out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lens::kernels {

enum class BlockFormat { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K };

constexpr std::int64_t blockElements(BlockFormat format)
{
    return format >= BlockFormat::Q4_K ? 256 : 32;
}

constexpr std::int64_t blockBytes(BlockFormat format)
{
    switch (format) {
    case BlockFormat::Q4_0: return 18;
    case BlockFormat::Q4_1: return 20;
    case BlockFormat::Q5_0: return 22;
    case BlockFormat::Q5_1: return 24;
    case BlockFormat::Q8_0: return 34;
    case BlockFormat::Q4_K: return 144;
    case BlockFormat::Q5_K: return 176;
    case BlockFormat::Q6_K: return 210;
    }
    return 0;
}

/// Rows of whole blocks, one behind the other, at any address; the first of them perhaps in panels (see panels.h).
struct BlockMatrix {
    BlockFormat format = BlockFormat::Q8_0;
    const std::byte *blocks = nullptr;
    std::int64_t columns = 0;    ///< a multiple of blockElements()
    std::int64_t panelRows = 0;  ///< a multiple of 16

    std::int64_t rowBytes() const { return columns / blockElements(format) * blockBytes(format); }
};

} // namespace lens::kernels
