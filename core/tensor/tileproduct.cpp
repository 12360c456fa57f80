#include "tensor/tileproduct.h"

#include "kernels/split.h"
#include "kernels/tiles.h"
#include "tensor/kernelbridge.h"

#include <algorithm>
#include <vector>

namespace lens {

namespace {

using kernels::BFloat16;
using kernels::kTile;

std::uint32_t *words(BFloat16 *numbers)
{
    return reinterpret_cast<std::uint32_t *>(numbers);
}

/// x in two parts as multiplyTiles() wants it, zeros where there are no tokens.
class TileInput {
public:
    explicit TileInput(const at::Tensor &x)
        : m_panels((x.size(0) + kTile - 1) / kTile),
          m_high(at::empty({m_panels, x.size(1) / 2, kTile, 2}, x.options().dtype(at::kBFloat16))), m_low(at::empty_like(m_high))
    {
        const std::int64_t columns = x.size(1);
        inParallel(m_panels, kTile * columns, [&](std::int64_t begin, std::int64_t end) {
            std::vector<BFloat16> high(static_cast<std::size_t>(kTile * columns)), low(high.size());
            for (std::int64_t panel = begin; panel < end; ++panel) {
                const std::int64_t first = panel * kTile, count = std::min(kTile, x.size(0) - first);
                std::fill(high.begin() + count * columns, high.end(), BFloat16{});
                std::fill(low.begin() + count * columns, low.end(), BFloat16{});
                kernels::split(count * columns, numbers<const float>(x) + first * columns, high.data(), low.data());
                for (const auto &[from, to] : {std::pair(high.data(), m_high), std::pair(low.data(), m_low)})
                    kernels::transpose(kTile, columns / 2, words(from), columns / 2, words(numbers<BFloat16>(to)) + first * columns / 2, kTile);
            }
        });
    }

    std::int64_t tokens() const { return m_panels * kTile; }
    kernels::TwoParts parts() const { return {numbers<const BFloat16>(m_high), numbers<const BFloat16>(m_low)}; }

private:
    std::int64_t m_panels;
    at::Tensor m_high, m_low;
};

} // namespace

at::Tensor tileProduct(const at::Tensor &x, std::int64_t rows, const RowSource &W)
{
    const at::Tensor dense = x.contiguous(), y = at::empty({x.size(0), rows}, x.options());
    const std::int64_t columns = x.size(1), tokens = x.size(0);
    const TileInput input(dense);
    at::parallel_for(0, (rows + kTile - 1) / kTile, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> values(static_cast<std::size_t>(kTile * columns)), product(static_cast<std::size_t>(kTile * input.tokens()));
        std::vector<BFloat16> high(values.size()), low(values.size());
        for (std::int64_t block = begin; block < end; ++block) {
            const std::int64_t first = block * kTile, count = std::min(kTile, rows - first);
            W(first, count, values.data());
            kernels::split(kTile * columns, values.data(), high.data(), low.data());
            kernels::multiplyTiles(columns, input.tokens(), {high.data(), low.data()}, input.parts(), product.data());
            kernels::transpose(count, tokens, product.data(), input.tokens(), numbers<float>(y) + first, rows);
        }
    });
    return y;
}

} // namespace lens
