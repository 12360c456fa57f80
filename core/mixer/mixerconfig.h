// Everything that determines one layer's sequence mixer, apart from its weights.
#pragma once

#include "mixer/layers.h"
#include "mixer/rope.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace lens {

enum class MixerKind {
    Softmax,  ///< scaled dot-product attention with a KV cache
    Supra,    ///< phi, RoPE after it, decay, GroupNorm (arXiv 2405.06640)
    T2r,      ///< RoPE before phi, learned ReLU features, normaliser (arXiv 2103.13076)
    Linear,   ///< RoPE before phi, given features, normaliser (arXiv 2006.16236)
};

std::string_view name(MixerKind kind);

enum class FeatureMapForm {
    None,         ///< phi(x) = x
    SharedRelu,   ///< relu(W x + b), one full matrix over the concatenated heads (SUPRA)
    PerHeadRelu,  ///< relu(x W_h + b_h), one matrix a head (T2R)
    Elu1,         ///< elu(x) + 1
    Hedgehog,     ///< [softmax(x W_h), softmax(-x W_h)] (arXiv 2402.04347)
};

struct MixerConfig {
    MixerKind kind = MixerKind::Softmax;
    std::int64_t heads = 0;     ///< query heads H
    std::int64_t kvHeads = 0;   ///< K, dividing H; query head h reads kv head h / (H/K)
    std::int64_t inputDim = 0;  ///< di, head size of the q and k projections
    std::int64_t keyDim = 0;    ///< dk, head size after the feature map (= di for softmax)
    std::int64_t valueDim = 0;  ///< dv
    RopeConfig rope;
    bool queryKeyNorm = false;  ///< one norm over all heads of q, another over those of k (after the repeat)
    NormConfig queryKeyNormConfig;

    std::int64_t slidingWindow = 0;  ///< Softmax only; key j is visible iff 0 <= i - j < window; 0 = no window

    FeatureMapForm features = FeatureMapForm::None;
    bool sharedFeatures = true;      ///< q and k use one map
    double featureFloor = 0.0;       ///< features are clamped from below, so that a normaliser cannot vanish
    std::vector<double> slopes;      ///< s_h, gamma_h = exp(-s_h); linear kinds: one per head
    double epsilon = 1e-5;           ///< of the GroupNorm, or added to the normaliser

    bool isLinear() const { return kind != MixerKind::Softmax; }
    bool normalises() const { return kind == MixerKind::T2r || kind == MixerKind::Linear; }
    bool operator==(const MixerConfig &) const = default;
};

} // namespace lens
