// What a checkpoint says of a Mamba-1 model, checked, and the tensors that follow from it.
#pragma once

#include "mixer/layers.h"
#include "model/weightloader.h"

namespace lens::mamba {

struct MambaConfig {
    std::string architecture;        ///< "mamba" or "falcon_mamba"
    std::int64_t layers = 0;
    std::int64_t width = 0;          ///< of the residual stream
    std::int64_t inner = 0;          ///< channels of the mixer
    std::int64_t stateSize = 0;      ///< states per channel
    std::int64_t convKernel = 0;     ///< inputs that the convolution sees
    std::int64_t rank = 0;           ///< of the time step's projection
    std::int64_t vocabulary = 0;     ///< rows of the embedding, padding included
    bool tied = true;
    bool convBias = true;
    bool projectionBias = false;     ///< in_proj and out_proj
    NormConfig norm;
    double innerNormEpsilon = -1;    ///< Falcon Mamba: weightless RMS norm of dt, B and C; negative = none

    /// Channels are shown in groups: the largest divisor of `inner` that is at most 64.
    std::int64_t groupSize() const;
    std::int64_t groups() const { return inner / groupSize(); }
};

/// Weights by these names, N counting layers; projections are [out,in].
///
///   embedding [V,D]   head [V,D] (unless tied)   norm.{weight,bias}   layers.N.norm.{weight,bias}
///   layers.N.in [2*C,D]   .conv [C,1,K]   .conv_bias [C]   .x [R+2*S,C]   .dt [C,R]   .dt_bias [C]
///   layers.N.A_log [C,S]   .D [C]   .out [D,C]   .in_bias [2*C]   .out_bias [D]
struct MambaPlan {
    MambaConfig config;
    WantedTensors weights;
};

/// By the configuration, or by tensor names where it does not say.
bool looksLikeMamba(const Checkpoint &checkpoint);

/// Reads headers only. Errors name the key or the tensor that is wrong.
Result<MambaPlan> planFor(const Checkpoint &checkpoint);

/// Facts that follow from the configuration alone; parameters, device and dtype stay empty.
ModelInfo describe(const MambaConfig &config);

} // namespace lens::mamba
