#include "rwkvmodel.h"

#include "rwkvmixers.h"

namespace lens::rwkv {

namespace {

constexpr double kLastEpsilon = 1e-5;  ///< the configuration's epsilon is that of the blocks alone

Norm layerNorm(const at::Tensor &weight, const at::Tensor &bias, double epsilon)
{
    return {{NormConfig::Kind::Layer, epsilon, true, true}, weight.reshape({-1}), bias.reshape({-1})};
}

std::unique_ptr<const SequenceMixer> makeMixer(const RwkvConfig &config, const LayerWeights &weights)
{
    if (config.version == Version::V4)
        return std::make_unique<Rwkv4Mixer>(config, weights);
    return std::make_unique<Rwkv5Mixer>(config, weights);
}

} // namespace

struct RwkvModel::Norms {
    Norm first, last;
};

struct RwkvModel::Block {
    Norm mixerNorm, channelNorm;
    std::unique_ptr<const SequenceMixer> mixer;
    ChannelMix channels;
};

RwkvModel::RwkvModel(const RwkvConfig &config, const NamedTensors &weights, ModelInfo info)
    : m_info(std::move(info)), m_embedding(weights.at("embedding")), m_head(weights.at("head"))
{
    m_norms = std::make_unique<const Norms>(
        Norms{layerNorm(weights.at("ln0.weight"), weights.at("ln0.bias"), config.epsilon),
              layerNorm(weights.at("ln_out.weight"), weights.at("ln_out.bias"), kLastEpsilon)});
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const LayerWeights own(weights, layer);
        m_blocks.push_back({layerNorm(own("ln1.weight"), own("ln1.bias"), config.epsilon),
                            layerNorm(own("ln2.weight"), own("ln2.bias"), config.epsilon), makeMixer(config, own),
                            ChannelMix(own)});
    }
}

RwkvModel::~RwkvModel() = default;

ModelState RwkvModel::initialState(std::int64_t batch) const
{
    std::vector<std::unique_ptr<SequenceState>> layers;
    for (const Block &block : m_blocks)
        layers.push_back(block.mixer->initialState(batch));
    return ModelState(std::move(layers));
}

at::Tensor RwkvModel::forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const
{
    at::Tensor x = m_norms->first(m_embedding.index({tokens}));
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        const Block &block = m_blocks[i];
        const MixerCall call{static_cast<std::int64_t>(i), state.position(), options.execution, options.probe};
        x = x + block.mixer->forward(block.mixerNorm(x), state.layer(i), call);
        x = x + block.channels(block.channelNorm(x), static_cast<TensorState &>(state.layer(i)));
        if (wanted(options.probe, ProbeKind::Hidden, call.layer))
            options.probe->offer(ProbeKind::Hidden, call.layer, x);
    }
    state.advance(tokens.size(1));
    if (options.logits == LogitsWanted::None)
        return {};
    if (options.logits == LogitsWanted::Last)
        x = x.narrow(1, x.size(1) - 1, 1);
    x = m_norms->last(x);
    return options.logits == LogitsWanted::Hidden ? x : at::linear(x, m_head).to(at::kFloat);
}

} // namespace lens::rwkv
