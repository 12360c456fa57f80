// An RWKV-4 or RWKV-5 language model with its weights.
#pragma once

#include "model/languagemodel.h"
#include "rwkvconfig.h"

namespace lens::rwkv {

class RwkvModel final : public LanguageModel {
public:
    /// `weights` by the names of RwkvPlan, complete and of the right shapes; `info` is what describe() gives.
    RwkvModel(const RwkvConfig &config, const NamedTensors &weights, ModelInfo info);
    ~RwkvModel() override;

    ModelInfo describe() const override { return m_info; }
    at::Device device() const override { return m_embedding.device(); }
    at::ScalarType dtype() const override { return m_embedding.scalar_type(); }
    ModelState initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const override;

private:
    struct Block;
    struct Norms;

    ModelInfo m_info;
    at::Tensor m_embedding, m_head;
    std::unique_ptr<const Norms> m_norms;
    std::vector<Block> m_blocks;
};

} // namespace lens::rwkv
