// What an RWKV checkpoint is: version, sizes, and which stored tensor is which weight.
#pragma once

#include "checkpoint/checkpoint.h"
#include "model/weightloader.h"

#include <cstdint>
#include <string>

namespace lens::rwkv {

enum class Version {
    V4,  ///< sums per channel, no matrix state
    V5,  ///< a matrix a head; 5.0 and 5.1 with one decay a head, 5.2 ("Eagle") with one a channel
};

struct RwkvConfig {
    Version version = Version::V5;
    bool blinkNames = false;  ///< the names of BlinkDL's .pth files, whose sizes are those of the tensors
    std::int64_t vocabulary = 0, hiddenSize = 0, layers = 0, feedForward = 0;
    std::int64_t attentionSize = 0;  ///< width of r, k and v
    std::int64_t heads = 0;          ///< V4: groups of channels, for display
    std::int64_t trainedContext = 0;
    bool gated = true;               ///< V5: silu gate after the group norm; 5.0 has none
    bool firstIsLogarithm = false;   ///< V5 with time_first instead of time_faaaa: u is its exponential
    bool tied = false;
    double epsilon = 1e-5;
    double groupEpsilon = 64e-5;     ///< V5: of the group norm on undivided outputs, 1e-5 times the divisor 8 squared

    std::int64_t headSize() const { return attentionSize / heads; }
};

/// Tensors by the names RwkvModel uses:
///   embedding [V,D]   ln0.{weight,bias}   ln_out.{weight,bias}   head [V,D]
///   layers.N.{ln1,ln2}.{weight,bias}
///   layers.N.att.{mix_k,mix_v,mix_r,mix_g,decay,first,key,value,receptance,gate,output,ln_x.weight,ln_x.bias}
///   layers.N.ffn.{mix_k,mix_r,key [F,D],receptance [D,D],value [D,F]}
struct RwkvPlan {
    RwkvConfig config;
    WantedTensors tensors;
};

/// By model_type or by tensor names; later versions too, so that planFor() can say why they cannot be used.
bool looksLikeRwkv(const Checkpoint &checkpoint);

/// From headers and configuration alone; every tensor is there and has the right shape. Mismatch, Malformed,
/// LimitExceeded; Unsupported for RWKV-6 and later.
Result<RwkvPlan> planFor(const Checkpoint &checkpoint);

} // namespace lens::rwkv
