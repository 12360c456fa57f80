#include "tensor/blockexpansion.h"

namespace lens {

namespace {

using kernels::BlockFormat;

/// The bytes of all blocks: [rows, blocks, bytes].
class Blocks {
public:
    Blocks(const at::Tensor &bytes, BlockFormat format) : m_bytes(bytes.view({bytes.size(0), -1, kernels::blockBytes(format)})) {}

    at::Tensor bytes(std::int64_t first, std::int64_t count) const { return m_bytes.narrow(-1, first, count); }
    at::Tensor integers(std::int64_t first, std::int64_t count) const { return bytes(first, count).to(at::kInt); }

    /// float16 numbers.
    at::Tensor halves(std::int64_t first, std::int64_t count) const
    {
        return bytes(first, 2 * count).contiguous().view(at::kHalf).to(at::kFloat);
    }

private:
    at::Tensor m_bytes;
};

/// Some bits of integers.
at::Tensor bits(const at::Tensor &integers, std::int64_t first, std::int64_t count)
{
    return integers.bitwise_right_shift(first).bitwise_and((1 << count) - 1);
}

/// [..., n] to [..., 2, n]: the lower four bits, then the upper.
at::Tensor nibbles(const at::Tensor &integers)
{
    return at::stack({bits(integers, 0, 4), bits(integers, 4, 4)}, -2);
}

/// Every bit of [..., n] bytes: [..., n, 8], the lowest first.
at::Tensor allBits(const at::Tensor &integers)
{
    return integers.unsqueeze(-1).bitwise_right_shift(at::arange(8, integers.options())).bitwise_and(1);
}

/// Blocks of 32 with their four-bit integers from `four` and the fifth bits from `fifth` on, if any.
at::Tensor simple(const Blocks &blocks, std::int64_t fifth, std::int64_t four)
{
    const at::Tensor q = nibbles(blocks.integers(four, 16)).flatten(-2);
    return fifth < 0 ? q : q + 16 * allBits(blocks.integers(fifth, 4)).flatten(-2);
}

/// Q4_K and Q5_K: [rows, blocks, 8, 32].
at::Tensor nested(const Blocks &blocks, bool hasFifths)
{
    const at::Tensor packed = blocks.integers(4, 12), low = packed.narrow(-1, 0, 4), middle = packed.narrow(-1, 4, 4), high = packed.narrow(-1, 8, 4);
    const at::Tensor scale = at::cat({bits(low, 0, 6), bits(high, 0, 4) + 16 * bits(low, 6, 2)}, -1);
    const at::Tensor least = at::cat({bits(middle, 0, 6), bits(high, 4, 4) + 16 * bits(middle, 6, 2)}, -1);
    at::Tensor q = nibbles(blocks.integers(hasFifths ? 48 : 16, 128).unflatten(-1, {4, 32})).flatten(-3, -2);
    if (hasFifths)
        q = q + 16 * allBits(blocks.integers(16, 32)).transpose(-1, -2);
    return q * (blocks.halves(0, 1) * scale).unsqueeze(-1) - (blocks.halves(2, 1) * least).unsqueeze(-1);
}

/// Q6_K: [rows, blocks, 16, 16].
at::Tensor sixBits(const Blocks &blocks)
{
    const at::Tensor four = nibbles(blocks.integers(0, 128).unflatten(-1, {2, 64})).unflatten(-1, {2, 32});  // [..., 2, 2, 2, 32]
    const at::Tensor two = blocks.integers(128, 64).unflatten(-1, {2, 1, 32})
                               .bitwise_right_shift(2 * at::arange(4, four.options()).view({4, 1})).bitwise_and(3);  // [..., 2, 4, 32]
    const at::Tensor q = (four.flatten(-3, -2) + 16 * two - 32).flatten(-3).unflatten(-1, {16, 16});
    const at::Tensor scale = blocks.bytes(192, 16).contiguous().view(at::kChar).to(at::kFloat);
    return q * (blocks.halves(208, 1) * scale).unsqueeze(-1);
}

at::Tensor numbersOf(const Blocks &blocks, BlockFormat format)
{
    switch (format) {
    case BlockFormat::Q4_0: return (simple(blocks, -1, 2) - 8) * blocks.halves(0, 1);
    case BlockFormat::Q4_1: return simple(blocks, -1, 4) * blocks.halves(0, 1) + blocks.halves(2, 1);
    case BlockFormat::Q5_0: return (simple(blocks, 2, 6) - 16) * blocks.halves(0, 1);
    case BlockFormat::Q5_1: return simple(blocks, 4, 8) * blocks.halves(0, 1) + blocks.halves(2, 1);
    case BlockFormat::Q8_0: return blocks.bytes(2, 32).contiguous().view(at::kChar).to(at::kFloat) * blocks.halves(0, 1);
    case BlockFormat::Q4_K: return nested(blocks, false);
    case BlockFormat::Q5_K: return nested(blocks, true);
    case BlockFormat::Q6_K: return sixBits(blocks);
    }
    return {};
}

} // namespace

at::Tensor expandedByTorch(const at::Tensor &blocks, BlockFormat format, at::ScalarType type)
{
    return numbersOf(Blocks(blocks, format), format).flatten(1).to(type);
}

} // namespace lens
