#include "mixer/recurrentstate.h"

namespace lens {

RecurrentState::RecurrentState(std::int64_t batch, std::int64_t heads, std::int64_t keyDim, std::int64_t valueDim,
                               bool normaliser, const at::Device &device)
    : m_matrix(at::zeros({batch, heads, keyDim, valueDim + (normaliser ? 1 : 0)},
                         at::TensorOptions().dtype(at::kFloat).device(device))),
      m_valueDim(valueDim)
{
}

const at::Tensor &RecurrentState::ownMatrix()
{
    if (!m_matrix.is_contiguous() || m_matrix.storage().use_count() > 1)
        m_matrix = m_matrix.clone(at::MemoryFormat::Contiguous);
    return m_matrix;
}

std::unique_ptr<SequenceState> RecurrentState::clone() const
{
    auto copy = std::make_unique<RecurrentState>(*this);
    copy->m_matrix = m_matrix.clone();
    return copy;
}

NamedTensors RecurrentState::tensors() const
{
    NamedTensors named{{"state", recurrentState().contiguous()}};
    if (m_matrix.size(3) > m_valueDim)
        named.emplace("normaliser", m_matrix.select(3, m_valueDim).contiguous());
    return named;
}

Result<void> RecurrentState::assign(const NamedTensors &tensors)
{
    const bool normaliser = m_matrix.size(3) > m_valueDim;
    const auto state = tensors.find("state");
    const auto sum = tensors.find("normaliser");
    if (state == tensors.end() || (sum != tensors.end()) != normaliser
        || state->second.sizes() != recurrentState().sizes()
        || (normaliser && sum->second.sizes() != m_matrix.select(3, m_valueDim).sizes()))
        return fail(ErrorCode::Mismatch, "the saved recurrent state has another shape than this model's");
    at::Tensor matrix = state->second;
    if (normaliser)
        matrix = at::cat({matrix, sum->second.unsqueeze(3)}, 3);
    m_matrix = matrix.to(m_matrix.options(), false, true);
    return {};
}

} // namespace lens
