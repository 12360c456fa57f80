#include "tensor/tileproduct.h"

#include "kernels/split.h"
#include "tensor/kernelbridge.h"

#include <ATen/native/CPUBlas.h>
#include <vector>

namespace lens {

namespace {

using kernels::BFloat16;

constexpr std::int64_t kRows = 32;    // of W at a time: two tiles
constexpr std::int64_t kTokens = 32;  // T is filled up to a multiple: LibTorch makes a kernel for every new shape

std::uint32_t *words(BFloat16 *numbers)
{
    return reinterpret_cast<std::uint32_t *>(numbers);
}

/// x^T in two parts, each [columns/2, tokens, 2] as the matrix unit reads it, zeros where there are no tokens.
class TileInput {
public:
    explicit TileInput(const at::Tensor &x)
        : m_columns(x.size(1)), m_tokens((x.size(0) + kTokens - 1) / kTokens * kTokens),
          m_high(at::zeros({m_columns / 2, m_tokens, 2}, at::kBFloat16)), m_low(at::zeros_like(m_high))
    {
        inParallel(x.size(0) / kTokens + 1, kTokens * m_columns, [&](std::int64_t begin, std::int64_t end) {
            std::vector<BFloat16> high(static_cast<std::size_t>(kTokens * m_columns)), low(high.size());
            for (std::int64_t part = begin; part < end; ++part) {
                const std::int64_t first = part * kTokens, count = std::min(kTokens, x.size(0) - first);
                kernels::split(count * m_columns, numbers<const float>(x) + first * m_columns, high.data(), low.data());
                for (const auto &[from, to] : {std::pair(high.data(), m_high), std::pair(low.data(), m_low)})
                    kernels::transpose(count, m_columns / 2, words(from), m_columns / 2, words(numbers<BFloat16>(to)) + first, m_tokens);
            }
        });
    }

    std::int64_t tokens() const { return m_tokens; }

    /// product [kRows,tokens] = W x^T for W [kRows,columns] in two parts. Uses the calling thread's matrix unit.
    void multiply(const BFloat16 *high, const BFloat16 *low, float *product) const
    {
        const auto add = [&](const BFloat16 *W, const at::Tensor &x, bool toWhatIsThere) {
            at::native::cpublas::brgemm(kRows, m_tokens, m_columns, m_columns, m_tokens, m_tokens, toWhatIsThere,
                                        reinterpret_cast<const at::BFloat16 *>(W), x.const_data_ptr<at::BFloat16>(), product);
        };
        add(high, m_high, false);
        add(high, m_low, true);
        add(low, m_high, true);
    }

private:
    std::int64_t m_columns, m_tokens;
    at::Tensor m_high, m_low;
};

} // namespace

bool hasMatrixTiles()
{
    return at::native::cpublas::could_pack(at::kBFloat16);
}

at::Tensor tileProduct(const at::Tensor &x, std::int64_t rows, const RowSource &W)
{
    const at::Tensor dense = x.contiguous(), y = at::empty({x.size(0), rows}, x.options());
    const std::int64_t columns = x.size(1), tokens = x.size(0);
    const TileInput input(dense);
    at::parallel_for(0, (rows + kRows - 1) / kRows, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> values(static_cast<std::size_t>(kRows * columns)), product(static_cast<std::size_t>(kRows * input.tokens()));
        std::vector<BFloat16> high(values.size()), low(values.size());
        for (std::int64_t block = begin; block < end; ++block) {
            const std::int64_t first = block * kRows, count = std::min(kRows, rows - first);
            W(first, count, values.data());
            kernels::split(kRows * columns, values.data(), high.data(), low.data());
            input.multiply(high.data(), low.data(), product.data());
            kernels::transpose(count, tokens, product.data(), input.tokens(), numbers<float>(y) + first, rows);
        }
        at::native::cpublas::brgemm_release();
    });
    return y;
}

} // namespace lens
