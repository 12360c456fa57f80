// A Mamba-1 language model with its weights: x += mixer(norm(x)), no feed-forward part.
#pragma once

#include "mambaconfig.h"
#include "model/languagemodel.h"

namespace lens::mamba {

/// The residual stream is float32 in any dtype.
class MambaModel final : public LanguageModel {
public:
    /// `weights` by the names of MambaPlan, complete and of the right shapes; `facts` as far as the plan tells them.
    MambaModel(const MambaConfig &config, const NamedTensors &weights, ModelInfo facts);
    ~MambaModel() override;

    ModelInfo describe() const override { return m_info; }
    at::Device device() const override { return m_embedding.device(); }
    at::ScalarType dtype() const override { return m_embedding.scalar_type(); }
    ModelState initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const override;

private:
    struct Block;

    ModelInfo m_info;
    at::Tensor m_embedding, m_head;
    Norm m_norm;
    std::vector<Block> m_blocks;
};

} // namespace lens::mamba
