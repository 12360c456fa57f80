// How often each token occurs at the end of a text, counted on the device that chooses the tokens.
#pragma once

#include "text/tokenizer.h"

#include <ATen/ATen.h>
#include <deque>
#include <span>

namespace lens {

class TokenCounts {
public:
    /// Of the last `window` tokens of `text`; 0 = of all. The counts are made with `options`. May throw c10::Error, as
    /// everything here.
    TokenCounts(std::span<const TokenId> text, std::size_t window, std::int64_t vocabulary,
                const at::TensorOptions &options);

    /// The text goes on with `id`, [1] int64 on the same device. Does not wait for the device.
    void add(const at::Tensor &id);

    /// [V].
    const at::Tensor &counts() const { return m_counts; }

private:
    std::size_t m_window;
    at::Tensor m_counts;
    at::Tensor m_one;
    std::deque<at::Tensor> m_recent;  // the tokens in the window, oldest first; empty without one
};

} // namespace lens
