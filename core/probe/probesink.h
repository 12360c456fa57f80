// Where a model's inner quantities go. A mixer asks `wants` first and does no work for what nobody wants.
#pragma once

#include <cstdint>
#include <ATen/ATen.h>

namespace lens {

enum class ProbeKind {
    StateNorm,     ///< [B,H,T] Frobenius norm of the recurrent state after each token of the call
    Retention,     ///< [B,H,T] share of the state's norm that a step's decay leaves, ||A_t * S_{t-1}|| / ||S_{t-1}||, where
                   ///< the decay depends on the input or differs inside a head; NaN for the first token of all
    Attention,     ///< [B,H,T,T] probabilities (softmax) or the implied signed matrix A_ij (linear), decay included;
                   ///< offered only for calls at position 0
    ZeroFeatures,  ///< [H] share of zero entries of phi(k) before RoPE
    MixerIn,       ///< [B,T,D] the normalised input of a decoder's mixer
    MixerOut,      ///< [B,T,H*dv] what enters the output projection
    Hidden,        ///< [B,T,D] the residual stream after the block
};

class ProbeSink {
public:
    virtual ~ProbeSink() = default;

    virtual bool wants(ProbeKind kind, std::int64_t layer) const = 0;

    /// `value` lives on the model's device; the sink copies what it keeps, for the next pass may write there.
    virtual void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) = 0;
};

inline bool wanted(const ProbeSink *sink, ProbeKind kind, std::int64_t layer)
{
    return sink && sink->wants(kind, layer);
}

} // namespace lens
