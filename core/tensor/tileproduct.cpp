#include "tensor/tileproduct.h"

#include "kernels/split.h"
#include "tensor/kernelbridge.h"

#include <algorithm>

namespace lens {

namespace {

using kernels::BFloat16;
using kernels::kTileColumns;
using kernels::kTileRows;

constexpr std::int64_t kTokens = 2 * kTileRows;  // come in multiples of it

/// x in two parts as multiplyTiles() wants it, zeros where there are no tokens.
class TileInput {
public:
    explicit TileInput(const at::Tensor &x)
        : m_tokens((x.size(0) + kTokens - 1) / kTokens * kTokens),
          m_high(at::empty({m_tokens, x.size(1)}, x.options().dtype(at::kBFloat16))), m_low(at::empty_like(m_high))
    {
        const std::int64_t columns = x.size(1), blocks = m_tokens / kTileRows;
        for (at::Tensor *part : {&m_high, &m_low})
            part->narrow(0, m_tokens - kTokens, kTokens).zero_();
        inParallel(blocks, kTileRows * columns, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t token = begin * kTileRows; token < std::min(end * kTileRows, x.size(0)); ++token)
                for (std::int64_t column = 0; column < columns; column += kTileColumns) {
                    const std::int64_t at = token / kTileRows * kTileRows * columns + column * kTileRows + token % kTileRows * kTileColumns;
                    kernels::split(kTileColumns, numbers<const float>(x) + token * columns + column, numbers<BFloat16>(m_high) + at,
                                   numbers<BFloat16>(m_low) + at);
                }
        });
    }

    std::int64_t tokens() const { return m_tokens; }
    kernels::TwoParts parts() const { return {numbers<const BFloat16>(m_high), numbers<const BFloat16>(m_low)}; }

private:
    std::int64_t m_tokens;
    at::Tensor m_high, m_low;
};

} // namespace

at::Tensor tileProduct(const at::Tensor &x, std::int64_t panels, const PanelSource &W)
{
    const TileInput input(x.contiguous());
    const std::int64_t columns = x.size(1), panelNumbers = kTileRows * columns, stride = panels * kTileRows;
    const at::Tensor y = at::empty({input.tokens(), stride}, x.options());
    at::parallel_for(0, (panels + 1) / 2, 1, [&](std::int64_t begin, std::int64_t end) {
        // Tensors, since theirs is memory in whole lines of the cache: a tile's row that lies in two takes twice as long.
        const at::Tensor parts = at::empty({2, 2 * panelNumbers}, x.options().dtype(at::kBFloat16));
        const at::Tensor scratch = at::empty({2 * kTileRows, input.tokens()}, x.options());
        BFloat16 *high = numbers<BFloat16>(parts), *low = high + 2 * panelNumbers;
        for (std::int64_t panel = 2 * begin; panel < std::min(2 * end, panels); panel += 2) {
            const std::int64_t some = std::min<std::int64_t>(2, panels - panel);
            for (std::int64_t i = 0; i < some; ++i)
                W(panel + i, high + i * panelNumbers, low + i * panelNumbers);
            kernels::multiplyTiles({columns, input.tokens(), some, stride}, input.parts(), {high, low}, numbers<float>(scratch),
                                   numbers<float>(y) + panel * kTileRows);
        }
    });
    return y.narrow(0, 0, x.size(0));
}

} // namespace lens
