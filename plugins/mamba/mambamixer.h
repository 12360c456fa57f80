// Mamba-1's mixer: causal convolution, selective state-space recurrence, gate.
#pragma once

#include "mambaconfig.h"
#include "mixer/sequencemixer.h"
#include "selectivescan.h"

namespace lens::mamba {

/// State: "ssm_state" [B,C,S], not decayed after the last token, and "conv_state" [B,C,K], the last inputs of the
/// convolution, oldest first; both float32.
class MambaMixer final : public SequenceMixer {
public:
    /// `layer` is the prefix of its weights, see MambaPlan.
    MambaMixer(const MambaConfig &config, const NamedTensors &weights, const std::string &layer);

    std::string_view kind() const override { return "mamba"; }
    std::unique_ptr<SequenceState> initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const override;

private:
    class Measurements;

    at::Tensor convolve(const at::Tensor &x, at::Tensor &state) const;
    ScanInput select(const at::Tensor &x, at::ScalarType type) const;
    at::Tensor scanAll(const ScanInput &input, at::Tensor &state, const MixerCall &call) const;

    std::int64_t m_stateSize, m_convKernel, m_rank, m_group;
    std::vector<at::Tensor> m_taps;  ///< [C] each, the oldest input's first
    at::Tensor m_convBias;           ///< may be undefined
    Projection m_in, m_x, m_dt, m_out;
    Norm m_innerNorm;
    bool m_normsInner;
    at::Tensor m_dtBias, m_A, m_D;
};

} // namespace lens::mamba
