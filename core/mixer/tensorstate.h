// A layer's memory as tensors of constant shape, by name: what most recurrent families need.
#pragma once

#include "mixer/sequencestate.h"

namespace lens {

class TensorState final : public SequenceState {
public:
    /// Takes the tensors as they are before the first token.
    explicit TensorState(NamedTensors initial) : m_tensors(std::move(initial)) {}

    /// Throws std::out_of_range for a name that is not there. Mixers replace a tensor as a whole, its shape kept.
    at::Tensor &operator[](const std::string &name) { return m_tensors.at(name); }

    std::unique_ptr<SequenceState> clone() const override;
    std::uint64_t bytes() const override;
    bool canTruncate() const override { return false; }
    bool truncate(std::int64_t) override { return false; }
    NamedTensors tensors() const override { return m_tensors; }
    Result<void> assign(const NamedTensors &tensors) override;

private:
    NamedTensors m_tensors;
};

} // namespace lens
