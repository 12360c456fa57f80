// The projections that every attention-like mixer has in common, softmax or linear.
#pragma once

#include "mixer/mixerconfig.h"

namespace lens {

struct ProjectionSet {
    Projection q, k, v, out;
    Norm qNorm, kNorm;  ///< used only with MixerConfig::queryKeyNorm
    at::Tensor scale;   ///< [H*dv], linear mixers: multiplies the mixed heads before `out`; may be undefined
    at::TensorOptions options;  ///< dtype and device of what goes in and comes out
};

/// [B,T,K,d] -> [B,T,H,d], kv head h / (H/K) for query head h.
at::Tensor repeatHeads(const at::Tensor &x, std::int64_t heads);

/// The norm over all heads at once: x [B,T,H,d].
at::Tensor normAcrossHeads(const Norm &norm, const at::Tensor &x);

} // namespace lens
