// The time mixing ("attention") of the two versions, and the channel mixing that both share.
#pragma once

#include "mixer/layers.h"
#include "mixer/sequencemixer.h"
#include "mixer/tensorstate.h"
#include "rwkvconfig.h"
#include "wkv4.h"
#include "wkv5.h"

namespace lens::rwkv {

/// The weights of one layer by the names of RwkvPlan without "layers.N."; absent ones are undefined tensors.
class LayerWeights {
public:
    LayerWeights(const NamedTensors &weights, std::int64_t layer);

    at::Tensor operator()(const std::string &name) const;
    at::Tensor vector(const std::string &name) const { return (*this)(name).reshape({-1}); }
    Projection projection(const std::string &name) const { return {(*this)(name), {}}; }

private:
    const NamedTensors &m_weights;
    std::string m_prefix;
};

/// State "att_x" [B,D], "aa", "bb", "pp" [B,A]. What is shown as heads are groups of channels.
class Rwkv4Mixer final : public SequenceMixer {
public:
    Rwkv4Mixer(const RwkvConfig &config, const LayerWeights &weights);

    std::string_view kind() const override { return "rwkv4"; }
    std::unique_ptr<SequenceState> initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const override;

private:
    void offerProbes(const at::Tensor &k, const ScaledSums &before, const ScaledSums &after, const MixerCall &call) const;

    std::int64_t m_width, m_inner, m_groups;
    at::Tensor m_shareK, m_shareV, m_shareR;
    Projection m_key, m_value, m_receptance, m_output;
    Wkv4 m_wkv;
};

/// State "att_x" [B,D], "state" [B,H,N,N].
class Rwkv5Mixer final : public SequenceMixer {
public:
    Rwkv5Mixer(const RwkvConfig &config, const LayerWeights &weights);

    std::string_view kind() const override { return "rwkv5"; }
    std::unique_ptr<SequenceState> initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const override;

private:
    /// [B,H,T,N] float32.
    at::Tensor heads(const at::Tensor &x) const;
    at::Tensor normalised(const at::Tensor &o) const;
    void offerProbes(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, const at::Tensor &S,
                     const MixerCall &call) const;

    RwkvConfig m_config;
    at::Tensor m_shareK, m_shareV, m_shareR, m_shareG;
    Projection m_key, m_value, m_receptance, m_gate, m_output;
    at::Tensor m_normWeight, m_normBias;
    Wkv5 m_wkv;
};

/// sigmoid(W_r x_r) * W_v relu(W_k x_k)^2 with a token shift of its own: "ffn_x" [B,D] in the layer's state.
class ChannelMix {
public:
    explicit ChannelMix(const LayerWeights &weights);

    at::Tensor operator()(const at::Tensor &x, TensorState &state) const;

private:
    at::Tensor m_shareK, m_shareR;
    Projection m_key, m_value, m_receptance;
};

} // namespace lens::rwkv
