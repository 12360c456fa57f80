#include "tensor/dequantise.h"

#include <c10/util/Half.h>
#include <cstdint>
#include <cstring>

namespace lens {

namespace {

using Bytes = const std::uint8_t *;

float half(Bytes at)
{
    std::uint16_t bits = 0;
    std::memcpy(&bits, at, sizeof bits);
    return c10::detail::fp16_ieee_to_fp32_value(bits);
}

std::uint32_t word(Bytes at)
{
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
}

int low(std::uint8_t byte)
{
    return byte & 15;
}

int high(std::uint8_t byte)
{
    return byte >> 4;
}

void q4_0(Bytes block, float *y)
{
    const float d = half(block);
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(block[2 + j]) - 8) * d;
        y[j + 16] = static_cast<float>(high(block[2 + j]) - 8) * d;
    }
}

void q4_1(Bytes block, float *y)
{
    const float d = half(block);
    const float m = half(block + 2);
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(block[4 + j])) * d + m;
        y[j + 16] = static_cast<float>(high(block[4 + j])) * d + m;
    }
}

/// The fifth bit of element j of a Q5_0 or Q5_1 block, as 0 or 16.
int fifth(std::uint32_t bits, int j)
{
    return static_cast<int>((bits >> j & 1u) << 4);
}

void q5_0(Bytes block, float *y)
{
    const float d = half(block);
    const std::uint32_t bits = word(block + 2);
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>((low(block[6 + j]) | fifth(bits, j)) - 16) * d;
        y[j + 16] = static_cast<float>((high(block[6 + j]) | fifth(bits, j + 16)) - 16) * d;
    }
}

void q5_1(Bytes block, float *y)
{
    const float d = half(block);
    const float m = half(block + 2);
    const std::uint32_t bits = word(block + 4);
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(block[8 + j]) | fifth(bits, j)) * d + m;
        y[j + 16] = static_cast<float>(high(block[8 + j]) | fifth(bits, j + 16)) * d + m;
    }
}

void q8_0(Bytes block, float *y)
{
    const float d = half(block);
    for (int j = 0; j < 32; ++j)
        y[j] = static_cast<float>(static_cast<std::int8_t>(block[2 + j])) * d;
}

struct ScaleAndMin {
    float scale;
    float minimum;
};

/// The six-bit scale and minimum of sub-block i (of 8) of a Q4_K or Q5_K block, times d and dmin.
ScaleAndMin subBlock(Bytes block, int i)
{
    const Bytes packed = block + 4;
    int scale = packed[i] & 63;
    int minimum = packed[i + 4] & 63;
    if (i >= 4) {
        scale = low(packed[i + 4]) | (packed[i - 4] >> 6) << 4;
        minimum = high(packed[i + 4]) | (packed[i] >> 6) << 4;
    }
    return {half(block) * static_cast<float>(scale), half(block + 2) * static_cast<float>(minimum)};
}

void q4_k(Bytes block, float *y)
{
    for (int g = 0; g < 4; ++g) {
        const ScaleAndMin first = subBlock(block, 2 * g);
        const ScaleAndMin second = subBlock(block, 2 * g + 1);
        const Bytes quants = block + 16 + 32 * g;
        for (int l = 0; l < 32; ++l) {
            y[64 * g + l] = first.scale * static_cast<float>(low(quants[l])) - first.minimum;
            y[64 * g + 32 + l] = second.scale * static_cast<float>(high(quants[l])) - second.minimum;
        }
    }
}

void q5_k(Bytes block, float *y)
{
    const Bytes fifths = block + 16;
    for (int g = 0; g < 4; ++g) {
        const ScaleAndMin first = subBlock(block, 2 * g);
        const ScaleAndMin second = subBlock(block, 2 * g + 1);
        const Bytes quants = block + 48 + 32 * g;
        for (int l = 0; l < 32; ++l) {
            const int lower = low(quants[l]) + fifth(fifths[l], 2 * g);
            const int upper = high(quants[l]) + fifth(fifths[l], 2 * g + 1);
            y[64 * g + l] = first.scale * static_cast<float>(lower) - first.minimum;
            y[64 * g + 32 + l] = second.scale * static_cast<float>(upper) - second.minimum;
        }
    }
}

void q6_k(Bytes block, float *y)
{
    const float d = half(block + 208);
    for (int n = 0; n < 2; ++n) {
        const Bytes lows = block + 64 * n;
        const Bytes highs = block + 128 + 32 * n;
        for (int l = 0; l < 32; ++l) {
            const Bytes scales = block + 192 + 8 * n + l / 16;
            const int quants[4] = {low(lows[l]) | (highs[l] & 3) << 4, low(lows[l + 32]) | (highs[l] >> 2 & 3) << 4,
                                   high(lows[l]) | (highs[l] >> 4 & 3) << 4, high(lows[l + 32]) | (highs[l] >> 6) << 4};
            for (int part = 0; part < 4; ++part) {
                const auto scale = static_cast<float>(static_cast<std::int8_t>(scales[2 * part]));
                y[128 * n + 32 * part + l] = d * scale * static_cast<float>(quants[part] - 32);
            }
        }
    }
}

template <void (*expand)(Bytes, float *)>
void forEachBlock(DType type, std::span<const std::byte> blocks, std::span<float> values)
{
    const BlockLayout layout = blockLayout(type);
    const auto count = static_cast<std::int64_t>(blocks.size()) / layout.bytes;
    const auto *source = reinterpret_cast<Bytes>(blocks.data());
    for (std::int64_t i = 0; i < count; ++i)
        expand(source + i * layout.bytes, values.data() + i * layout.elements);
}

} // namespace

void dequantise(DType type, std::span<const std::byte> blocks, std::span<float> values)
{
    switch (type) {
    case DType::Q4_0: return forEachBlock<q4_0>(type, blocks, values);
    case DType::Q4_1: return forEachBlock<q4_1>(type, blocks, values);
    case DType::Q5_0: return forEachBlock<q5_0>(type, blocks, values);
    case DType::Q5_1: return forEachBlock<q5_1>(type, blocks, values);
    case DType::Q8_0: return forEachBlock<q8_0>(type, blocks, values);
    case DType::Q4_K: return forEachBlock<q4_k>(type, blocks, values);
    case DType::Q5_K: return forEachBlock<q5_k>(type, blocks, values);
    case DType::Q6_K: return forEachBlock<q6_k>(type, blocks, values);
    default: return;
    }
}

} // namespace lens
