// RWKV-4's attention: for each channel a weighted mean of the values so far, with weights e^k that lose a fixed share
// at every step and a bonus u for the current token (Peng et al. 2023, arXiv 2305.13048):
//   wkv_t = (a_{t-1} + e^{u+k_t} v_t) / (b_{t-1} + e^{u+k_t}),   a_t = e^w a_{t-1} + e^{k_t} v_t,   b_t = e^w b_{t-1} + e^{k_t}
// Sums are kept as mantissa and exponent, so that no e^k is ever formed. All tensors are float32.
#pragma once

#include "mixer/sequencemixer.h"

#include <functional>

namespace lens::rwkv {

/// The true sums are aa * e^pp and bb * e^pp; all of one shape.
struct ScaledSums {
    at::Tensor aa, bb, pp;
};

class Wkv4 {
public:
    /// `logDecay` = w <= 0 and `bonus` = u, both [A].
    Wkv4(at::Tensor logDecay, at::Tensor bonus) : m_logDecay(std::move(logDecay)), m_bonus(std::move(bonus)) {}

    /// k, v [B,T,A] to wkv [B,T,A]; `sums` [B,A] are those before the first token and become those after the last.
    /// `trace`, unless null, becomes the sums [B,T,A] before each token. `onStep` is called before each chunk and may
    /// throw.
    at::Tensor forward(const at::Tensor &k, const at::Tensor &v, ScaledSums &sums, const Execution &execution,
                       const std::function<void()> &onStep, ScaledSums *trace = nullptr) const;

    struct Norms {
        at::Tensor state;      ///< Euclidean norm of a group's true numerators after each token [B,G,T]
        at::Tensor retention;  ///< share of it that a step's decay leaves [B,G,T], NaN where there was nothing
    };

    /// `before` [B,T,A] as traced by forward(), `after` [B,A] the sums it ended with.
    Norms norms(const ScaledSums &before, const ScaledSums &after, std::int64_t groups) const;

    /// The weights that wkv_i gives to v_j, meant over the channels of each group: [B,G,T,T], rows summing to one, for a
    /// sequence that begins without a past; `before` as traced by forward(). `onStep` is called now and then.
    at::Tensor attention(const at::Tensor &k, const ScaledSums &before, std::int64_t groups,
                         const std::function<void()> &onStep) const;

private:
    /// Sums [B,n,A] of a chunk's own tokens, up to and including each.
    ScaledSums sumsWithin(const at::Tensor &k, const at::Tensor &v) const;

    /// `sums` after steps[i] further decays: broadcast over `steps` [n,1].
    ScaledSums decayed(const ScaledSums &sums, const at::Tensor &steps) const;

    at::Tensor m_logDecay;
    at::Tensor m_bonus;
};

} // namespace lens::rwkv
