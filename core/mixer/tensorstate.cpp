#include "mixer/tensorstate.h"

namespace lens {

std::unique_ptr<SequenceState> TensorState::clone() const
{
    NamedTensors copies;
    for (const auto &[name, tensor] : m_tensors)
        copies.emplace(name, tensor.clone());
    return std::make_unique<TensorState>(std::move(copies));
}

std::uint64_t TensorState::bytes() const
{
    std::uint64_t sum = 0;
    for (const auto &[name, tensor] : m_tensors)
        sum += tensor.nbytes();
    return sum;
}

Result<void> TensorState::assign(const NamedTensors &tensors)
{
    NamedTensors taken;
    for (const auto &[name, tensor] : m_tensors) {
        const auto found = tensors.find(name);
        if (found == tensors.end() || found->second.sizes() != tensor.sizes() || tensors.size() != m_tensors.size())
            return fail(ErrorCode::Mismatch, "the saved state has other tensors than this model's", name);
        taken.emplace(name, found->second.to(tensor.options(), false, true));
    }
    m_tensors = std::move(taken);
    return {};
}

} // namespace lens
