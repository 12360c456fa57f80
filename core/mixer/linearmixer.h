// Causal linear attention with a recurrent state: SUPRA, T2R and plain linear attention, which differ in feature map,
// in whether RoPE comes after phi (SUPRA) or before it, and in what replaces softmax's normaliser.
//
// SUPRA (arXiv 2405.06640, facts of its reference code): phi(x) = ReLU(W x + b), one W over all heads, shared by q and k
// unless keys are grouped; RoPE after it; k scaled by dk^-1/2; S_t = gamma S_{t-1} + k_t v_t^T; o_t = S_t^T q_t; GroupNorm
// with one group per head. T2R and linear: o_t = S_t^T phi(q_t) / (phi(q_t) . z_t + eps), z_t the sum of keys.
#pragma once

#include "mixer/featuremap.h"
#include "mixer/projectionset.h"
#include "mixer/sequencemixer.h"

#include <utility>

namespace lens {

class LinearMixer final : public SequenceMixer {
public:
    /// logDecay [H] float32, log gamma <= 0, takes the place of the config's slopes; undefined: they hold.
    LinearMixer(const MixerConfig &config, ProjectionSet projections, FeatureMap queryMap, FeatureMap keyMap,
                at::Tensor logDecay = {});

    std::string_view kind() const override { return name(m_config.kind); }
    std::unique_ptr<SequenceState> initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const override;

private:
    /// Features of queries and keys, both [B,H,T,dk] in the dtype of x.
    std::pair<at::Tensor, at::Tensor> features(const at::Tensor &x, const MixerCall &call) const;
    /// Whether the form with its own backward pass runs, which takes its inputs in any dtype.
    bool isTrained(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const Execution &how) const;
    at::Tensor run(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, at::Tensor &S, const Execution &how) const;
    void probe(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &entering,
               const at::Tensor &leaving, const MixerCall &call) const;

    MixerConfig m_config;
    ProjectionSet m_projections;
    FeatureMap m_queryMap;
    FeatureMap m_keyMap;
    Rope m_rope;
    at::Tensor m_logGamma;  // [H] float32: gamma must not be rounded, it is raised to the power of the distance
    double m_keyScale;
};

} // namespace lens
