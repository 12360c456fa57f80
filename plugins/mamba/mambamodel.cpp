#include "mambamodel.h"

#include "mambamixer.h"
#include "model/weightfacts.h"

namespace lens::mamba {

namespace {

Norm makeNorm(const NormConfig &config, const NamedTensors &weights, const std::string &name)
{
    return {config, weights.at(name + ".weight"), config.hasBias ? weights.at(name + ".bias") : at::Tensor()};
}

} // namespace

struct MambaModel::Block {
    Norm norm;
    std::unique_ptr<const MambaMixer> mixer;
};

MambaModel::MambaModel(const MambaConfig &config, const NamedTensors &weights, ModelInfo facts)
    : m_info(std::move(facts)), m_embedding(weights.at("embedding")),
      m_head(config.tied ? m_embedding : weights.at("head")), m_norm(makeNorm(config.norm, weights, "norm"))
{
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = "layers." + std::to_string(i);
        m_blocks.push_back({makeNorm(config.norm, weights, layer + ".norm"),
                            std::make_unique<const MambaMixer>(config, weights, layer)});
    }
    addWeightFacts(m_info, weights, dtype(), device());
}

MambaModel::~MambaModel() = default;

ModelState MambaModel::initialState(std::int64_t batch) const
{
    std::vector<std::unique_ptr<SequenceState>> layers;
    for (const Block &block : m_blocks)
        layers.push_back(block.mixer->initialState(batch));
    return ModelState(std::move(layers));
}

at::Tensor MambaModel::forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const
{
    at::Tensor x = m_embedding.index({tokens}).to(at::kFloat);
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        const Block &block = m_blocks[i];
        const MixerCall call{static_cast<std::int64_t>(i), state.position(), options.execution, options.probe};
        x = x + block.mixer->forward(block.norm(x).to(dtype()), state.layer(i), call);
        if (wanted(options.probe, ProbeKind::Hidden, call.layer))
            options.probe->offer(ProbeKind::Hidden, call.layer, x);
    }
    state.advance(tokens.size(1));
    if (options.logits == LogitsWanted::None)
        return {};
    if (options.logits == LogitsWanted::Last)
        x = x.narrow(1, x.size(1) - 1, 1);
    x = m_norm(x).to(dtype());
    return options.logits == LogitsWanted::Hidden ? x : at::linear(x, m_head).to(at::kFloat);
}

} // namespace lens::mamba
