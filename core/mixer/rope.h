// Rotary position embedding (arXiv 2104.09864) and its context extensions.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <ATen/ATen.h>
#include <vector>

namespace lens {

struct RopeConfig {
    enum class Layout {
        None,         ///< no positions
        HalfSplit,    ///< pairs (i, i + d/2): Hugging Face, open_lm "rotary"
        Interleaved,  ///< pairs (2i, 2i + 1): Meta, llama2.c, GGUF, open_lm "llama_rotary"
    };
    enum class Scaling { None, Linear, Llama3, Yarn };

    Layout layout = Layout::HalfSplit;
    std::int64_t dimensions = 0;  ///< rotated leading part of the head; even
    double base = 10000.0;
    Scaling scaling = Scaling::None;
    double factor = 1.0;          ///< Linear: angles divided by it
    double lowFrequencyFactor = 1.0, highFrequencyFactor = 4.0;  ///< Llama3
    double betaFast = 32.0, betaSlow = 1.0, attentionFactor = 0.0;  ///< Yarn; attentionFactor 0 = 0.1 ln(max(factor, 1)) + 1
    bool wholeDimensions = true;  ///< Yarn: the ramp's ends are rounded outwards to whole dimensions
    std::int64_t originalContext = 0;                            ///< Llama3 and Yarn, tokens
    std::vector<double> divisors;  ///< GGUF rope_freqs: one per frequency, dividing it; empty = none

    bool operator==(const RopeConfig &) const = default;
};

/// Rotates queries and keys. Immutable.
class Rope {
public:
    Rope(const RopeConfig &config, const at::Device &device);

    /// x [B,T,H,d] with its first token at `position`; returns the same shape and dtype. Angles are float32.
    at::Tensor apply(const at::Tensor &x, std::int64_t position) const;

    /// inv_i, angle = position * inv_i; float32 [dimensions / 2].
    const at::Tensor &inverseFrequencies() const { return m_inverse; }

private:
    RopeConfig::Layout m_layout;
    std::int64_t m_dimensions;
    double m_magnitude = 1.0;  // YaRN's factor on cos and sin
    at::Tensor m_inverse;
};

} // namespace lens
