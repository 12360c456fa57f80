#include "engine/tokencounts.h"

#include "tensor/hosttransfer.h"

namespace lens {

TokenCounts::TokenCounts(std::span<const TokenId> text, std::size_t window, std::int64_t vocabulary,
                         const at::TensorOptions &options)
    : m_window(window), m_counts(at::zeros({vocabulary}, options)), m_one(at::ones({1}, options))
{
    if (window > 0 && text.size() > window)
        text = text.last(window);
    if (text.empty())
        return;
    const std::vector<std::int64_t> wide(text.begin(), text.end());
    const at::Tensor ids = sentTo(options.device(), at::tensor(wide, at::kLong));
    m_counts.scatter_add_(0, ids, m_one.expand(ids.sizes()));
    for (std::int64_t i = 0; i < ids.numel() && window > 0; ++i)
        m_recent.push_back(ids.narrow(0, i, 1));
}

void TokenCounts::add(const at::Tensor &id)
{
    m_counts.scatter_add_(0, id, m_one);
    if (m_window == 0)
        return;
    m_recent.push_back(id);
    if (m_recent.size() <= m_window)
        return;
    m_counts.scatter_add_(0, m_recent.front(), -m_one);
    m_recent.pop_front();
}

} // namespace lens
