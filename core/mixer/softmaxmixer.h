// Scaled dot-product attention with grouped keys and values, RoPE and an optional sliding window.
#pragma once

#include "mixer/mixerconfig.h"
#include "mixer/projectionset.h"
#include "mixer/sequencemixer.h"

namespace lens {

class SoftmaxMixer final : public SequenceMixer {
public:
    SoftmaxMixer(const MixerConfig &config, ProjectionSet projections);

    std::string_view kind() const override { return name(MixerKind::Softmax); }
    std::unique_ptr<SequenceState> initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const override;

private:
    /// q [B,H,T,di] over keys and values [B,K,S,*] -> [B,H,T,dv].
    at::Tensor attend(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const;
    at::Tensor attendOne(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const;
    at::Tensor attendMany(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const;

    MixerConfig m_config;
    ProjectionSet m_projections;
    Rope m_rope;
    double m_scale;
};

} // namespace lens
