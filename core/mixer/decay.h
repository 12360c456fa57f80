// Fixed decay per head, gamma_h = exp(-s_h). "Linearizing Large Language Models" (arXiv 2405.06640) takes the slopes
// s_h from TransNormerLLM ("lightning"), or those of RetNet (arXiv 2307.08621).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace lens {

enum class DecayKind {
    Lightning,  ///< s_h = 2^(-8(h+1)/H), the default
    RetNet,     ///< gamma_h = 1 - 2^(-5-h)
    None,       ///< gamma_h = 1
};

/// Slopes s_h >= 0, h = 0..heads-1. With `start` = a the lightning slopes are a * 2^(-8h/H). For head counts that are
/// not a power of two they are those of the largest power of two P below, followed by every second one of 2P.
std::vector<double> decaySlopes(DecayKind kind, int heads, std::optional<double> start = {});

} // namespace lens
