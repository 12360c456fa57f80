// The constant-size memory of a linear mixer.
#pragma once

#include "mixer/sequencestate.h"

namespace lens {

class RecurrentState final : public SequenceState {
public:
    /// Zeros [batch, heads, keyDim, valueDim (+ 1 for the normaliser)], float32.
    RecurrentState(std::int64_t batch, std::int64_t heads, std::int64_t keyDim, std::int64_t valueDim, bool normaliser,
                   const at::Device &device);

    /// S_t, with the sum of keys z_t as its last column where there is a normaliser. Mixers replace it as a whole.
    at::Tensor &matrix() { return m_matrix; }

    /// The same for who changes it in place: dense, and shared with nobody.
    const at::Tensor &ownMatrix();

    std::unique_ptr<SequenceState> clone() const override;
    std::uint64_t bytes() const override { return static_cast<std::uint64_t>(m_matrix.numel()) * m_matrix.element_size(); }
    bool truncate(std::int64_t) override { return false; }
    NamedTensors tensors() const override;
    Result<void> assign(const NamedTensors &tensors) override;
    at::Tensor recurrentState() const override { return m_matrix.narrow(3, 0, m_valueDim); }

private:
    at::Tensor m_matrix;
    std::int64_t m_valueDim;
};

} // namespace lens
