#include "model/decoder.h"

#include "mixer/autograd.h"
#include "mixer/linearmixer.h"
#include "mixer/softmaxmixer.h"
#include "model/feedforward.h"
#include "model/recomputation.h"
#include "model/weightfacts.h"
#include "model/weightloader.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

using Shape = std::vector<std::int64_t>;
using Shapes = std::map<std::string, Shape>;

void addNorm(Shapes &shapes, const std::string &name, const NormConfig &norm, std::int64_t width)
{
    if (norm.hasWeight)
        shapes[name + ".weight"] = {width};
    if (norm.hasBias)
        shapes[name + ".bias"] = {width};
}

void addFeatureMap(Shapes &shapes, const std::string &name, const MixerConfig &mixer, std::int64_t heads)
{
    switch (mixer.features) {
    case FeatureMapForm::SharedRelu:
        shapes[name + ".weight"] = {heads * mixer.keyDim, heads * mixer.inputDim};
        shapes[name + ".bias"] = {heads * mixer.keyDim};
        break;
    case FeatureMapForm::PerHeadRelu:
        shapes[name + ".weight"] = {heads, mixer.inputDim, mixer.keyDim};
        shapes[name + ".bias"] = {heads, mixer.keyDim};
        break;
    case FeatureMapForm::Hedgehog:
        shapes[name + ".weight"] = {heads, mixer.inputDim, mixer.keyDim / 2};
        break;
    case FeatureMapForm::None:
    case FeatureMapForm::Elu1:
        break;
    }
}

void addMixer(Shapes &shapes, const std::string &name, const MixerConfig &mixer, std::int64_t hidden)
{
    shapes[name + ".q.weight"] = {mixer.heads * mixer.inputDim, hidden};
    shapes[name + ".k.weight"] = {mixer.kvHeads * mixer.inputDim, hidden};
    shapes[name + ".v.weight"] = {mixer.kvHeads * mixer.valueDim, hidden};
    shapes[name + ".out.weight"] = {hidden, mixer.heads * mixer.valueDim};
    if (mixer.queryKeyNorm) {
        addNorm(shapes, name + ".q_norm", mixer.queryKeyNormConfig, mixer.heads * mixer.keyDim);
        addNorm(shapes, name + ".k_norm", mixer.queryKeyNormConfig,
                (mixer.isLinear() ? mixer.heads : mixer.kvHeads) * mixer.keyDim);
    }
    addFeatureMap(shapes, name + ".feature_map", mixer, mixer.heads);
    if (!mixer.sharedFeatures)
        addFeatureMap(shapes, name + ".feature_map_k", mixer, mixer.kvHeads);
}

Result<void> checkLowRank(const NamedTensors &weights, const std::string &where)
{
    for (const auto &[name, a] : weights) {
        if (!name.ends_with(".lora_a"))
            continue;
        const std::string projection = name.substr(0, name.size() - std::string_view(".lora_a").size());
        const auto weight = weights.find(projection + ".weight"), b = weights.find(projection + ".lora_b");
        if (weight == weights.end() || b == weights.end() || a.dim() != 2)
            return fail(ErrorCode::Mismatch, "a low-rank change needs a projection and two factors", where + ", " + projection);
        if (auto fits = checkShape(a.sizes().vec(), {a.size(0), weight->second.size(1)}, where + ", " + name); !fits)
            return fits;
        if (auto fits = checkShape(b->second.sizes().vec(), {weight->second.size(0), a.size(0)}, where + ", " + b->first); !fits)
            return fits;
    }
    return {};
}

/// The tensors that are there only while a layer is trained.
Result<void> checkLearned(const DecoderConfig &config, const NamedTensors &weights, const std::string &where)
{
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const MixerConfig &mixer = config.layers[i];
        const std::string name = "layers." + std::to_string(i) + ".mixer";
        for (const auto &[tensor, shape] : Shapes{{name + ".log_decay", {mixer.heads}},
                                                  {name + ".scale", {mixer.heads * mixer.valueDim}}}) {
            const auto found = weights.find(tensor);
            if (found == weights.end())
                continue;
            if (!mixer.isLinear())
                return fail(ErrorCode::Mismatch, "a softmax layer has no such tensor", where + ", " + tensor);
            if (auto fits = checkShape(found->second.sizes().vec(), shape, where + ", " + tensor); !fits)
                return fits;
        }
    }
    return checkLowRank(weights, where);
}

Result<void> checkWeights(const DecoderConfig &config, const NamedTensors &weights, const std::string &where, WeightCheck check)
{
    for (const auto &[name, shape] : requiredTensors(config)) {
        const auto found = weights.find(name);
        if (found == weights.end())
            return fail(ErrorCode::Mismatch, "the tensor is missing", where + ", " + name);
        if (auto fits = checkShape(found->second.sizes().vec(), shape, where + ", " + name); !fits)
            return fits;
    }
    for (const auto &[name, tensor] : weights) {
        const auto weight = name.ends_with(".bias") ? weights.find(name.substr(0, name.size() - 4) + "weight") : weights.end();
        if (weight != weights.end() && (tensor.dim() == 0 || tensor.size(0) != weight->second.size(0)))
            return checkShape(tensor.sizes().vec(), {weight->second.size(0)}, where + ", " + name);
        if (check == WeightCheck::ShapesOnly)
            continue;
        if (auto finite = checkFinite(tensor, where + ", " + name); !finite)
            return finite;
    }
    return checkLearned(config, weights, where);
}

std::vector<double> gammas(const MixerConfig &mixer)
{
    std::vector<double> gamma;
    for (const double slope : mixer.slopes)
        gamma.push_back(std::exp(-slope));
    return gamma;
}

} // namespace

struct Decoder::Block {
    Norm mixerNorm, feedForwardNorm;
    std::unique_ptr<const SequenceMixer> mixer;
    FeedForward feedForward;

    at::Tensor forward(at::Tensor x, SequenceState &state, const MixerCall &call) const;
};

struct Decoder::Parts {
    at::Tensor embedding;
    Norm embeddingNorm, norm;
    std::vector<Block> blocks;
    Projection output;

    Parts(const DecoderConfig &config, const NamedTensors &weights);

private:
    static at::Tensor get(const NamedTensors &weights, const std::string &name);
    static Projection projection(const NamedTensors &weights, const std::string &name);
    static Norm makeNorm(const NamedTensors &weights, const std::string &name, const NormConfig &config);
    static FeatureMap featureMap(const NamedTensors &weights, const std::string &name, const MixerConfig &config);
    static std::unique_ptr<const SequenceMixer> makeMixer(const NamedTensors &weights, const std::string &name,
                                                          const MixerConfig &config);
};

Decoder::Parts::Parts(const DecoderConfig &config, const NamedTensors &weights)
    : embedding(get(weights, "embedding.weight")), norm(makeNorm(weights, "norm", config.norm))
{
    if (config.embeddingNorm)
        embeddingNorm = makeNorm(weights, "embedding_norm", config.norm);
    output.weight = config.tiedEmbeddings ? embedding : get(weights, "output.weight");
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const std::string name = "layers." + std::to_string(i);
        blocks.push_back({makeNorm(weights, name + ".mixer_norm", config.norm),
                          makeNorm(weights, name + ".ffn_norm", config.norm),
                          makeMixer(weights, name + ".mixer", config.layers[i]),
                          FeedForward{config.feedForward.kind, projection(weights, name + ".ffn.gate"),
                                      projection(weights, name + ".ffn.up"), projection(weights, name + ".ffn.down")}});
    }
}

at::Tensor Decoder::Parts::get(const NamedTensors &weights, const std::string &name)
{
    const auto found = weights.find(name);
    return found == weights.end() ? at::Tensor() : found->second;
}

Projection Decoder::Parts::projection(const NamedTensors &weights, const std::string &name)
{
    return {get(weights, name + ".weight"), get(weights, name + ".bias"), get(weights, name + ".lora_a"),
            get(weights, name + ".lora_b")};
}

Norm Decoder::Parts::makeNorm(const NamedTensors &weights, const std::string &name, const NormConfig &config)
{
    return {config, get(weights, name + ".weight"), get(weights, name + ".bias")};
}

FeatureMap Decoder::Parts::featureMap(const NamedTensors &weights, const std::string &name, const MixerConfig &config)
{
    return {config.features, config.featureFloor, get(weights, name + ".weight"), get(weights, name + ".bias")};
}

std::unique_ptr<const SequenceMixer> Decoder::Parts::makeMixer(const NamedTensors &weights, const std::string &name,
                                                               const MixerConfig &config)
{
    ProjectionSet projections{projection(weights, name + ".q"), projection(weights, name + ".k"),
                              projection(weights, name + ".v"), projection(weights, name + ".out"),
                              makeNorm(weights, name + ".q_norm", config.queryKeyNormConfig),
                              makeNorm(weights, name + ".k_norm", config.queryKeyNormConfig),
                              get(weights, name + ".scale")};
    if (!config.isLinear())
        return std::make_unique<SoftmaxMixer>(config, std::move(projections));
    return std::make_unique<LinearMixer>(
        config, std::move(projections), featureMap(weights, name + ".feature_map", config),
        featureMap(weights, name + (config.sharedFeatures ? ".feature_map" : ".feature_map_k"), config),
        get(weights, name + ".log_decay"));
}

Result<std::shared_ptr<const Decoder>> Decoder::create(DecoderConfig config, NamedTensors weights, const std::string &where,
                                                       WeightCheck check)
{
    return guarded(where, [&]() -> Result<std::shared_ptr<const Decoder>> {
        if (auto valid = validate(config, where); !valid)
            return propagate(valid);
        if (auto complete = checkWeights(config, weights, where, check); !complete)
            return propagate(complete);
        auto parts = std::make_unique<Parts>(config, weights);
        return std::shared_ptr<const Decoder>(new Decoder(std::move(config), std::move(weights), std::move(parts)));
    });
}

Decoder::Decoder(DecoderConfig config, NamedTensors weights, std::unique_ptr<Parts> parts)
    : m_config(std::move(config)), m_weights(std::move(weights)), m_parts(std::move(parts))
{
}

Decoder::~Decoder() = default;

const SequenceMixer &Decoder::mixer(std::int64_t layer) const
{
    return *m_parts->blocks.at(static_cast<std::size_t>(layer)).mixer;
}

const at::Tensor &Decoder::outputWeight() const
{
    return m_parts->output.weight;
}

at::Device Decoder::device() const
{
    return m_parts->embedding.device();
}

at::ScalarType Decoder::dtype() const
{
    return m_parts->embedding.scalar_type();
}

ModelState Decoder::initialState(std::int64_t batch) const
{
    std::vector<std::unique_ptr<SequenceState>> layers;
    for (const Block &block : m_parts->blocks)
        layers.push_back(block.mixer->initialState(batch));
    return ModelState(std::move(layers));
}

at::Tensor Decoder::Block::forward(at::Tensor x, SequenceState &state, const MixerCall &call) const
{
    const at::Tensor input = mixerNorm(x);
    if (wanted(call.probe, ProbeKind::MixerIn, call.layer))
        call.probe->offer(ProbeKind::MixerIn, call.layer, input);
    x = x + mixer->forward(input, state, call);
    x = x + feedForward(feedForwardNorm(x));
    if (wanted(call.probe, ProbeKind::Hidden, call.layer))
        call.probe->offer(ProbeKind::Hidden, call.layer, x);
    return x;
}

at::Tensor Decoder::recomputedBlock(const Block &block, const at::Tensor &x, const MixerCall &call)
{
    const auto run = [&block, call](const at::Tensor &input, bool again) {
        MixerCall own = call;
        if (again)
            own.probe = nullptr;
        const auto state = block.mixer->initialState(input.size(0));
        return block.forward(input, *state, own);
    };
    return recomputed(run, x);
}

at::Tensor Decoder::forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const
{
    const Parts &parts = *m_parts;
    // The first has the faster backward pass, the second a meta form.
    at::Tensor x = isRecorded({parts.embedding}) ? at::embedding(parts.embedding, tokens) : parts.embedding.index({tokens});
    if (m_config.embeddingNorm)
        x = parts.embeddingNorm(x);
    for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
        const Block &block = parts.blocks[i];
        const MixerCall call{static_cast<std::int64_t>(i), state.position(), options.execution, options.probe};
        x = options.recompute && at::GradMode::is_enabled() ? recomputedBlock(block, x, call)
                                                            : block.forward(x, state.layer(i), call);
    }
    state.advance(tokens.size(1));
    if (options.logits == LogitsWanted::None)
        return {};
    if (options.logits == LogitsWanted::Last)
        x = x.narrow(1, x.size(1) - 1, 1);
    x = parts.norm(x);
    return options.logits == LogitsWanted::Hidden ? x : parts.output(x).to(at::kFloat);
}

ModelInfo Decoder::describe() const
{
    const std::uint64_t elementBytes = m_parts->embedding.element_size();
    ModelInfo info = lens::describe(m_config, elementBytes);
    addWeightFacts(info, m_weights, dtype(), device());
    return info;
}

ModelInfo describe(const DecoderConfig &config, std::uint64_t elementBytes)
{
    ModelInfo info;
    info.architecture = config.architecture;
    info.origin = config.origin;
    info.untrained = config.untrained;
    info.layerCount = static_cast<std::int64_t>(config.layers.size());
    info.hiddenSize = config.hiddenSize;
    info.feedForward = config.feedForward.width;
    info.vocabulary = config.vocabulary;
    info.trainedContext = config.trainedContext;
    const MixerConfig &first = config.layers.front();
    info.heads = first.heads;
    info.kvHeads = first.kvHeads;
    info.keyDim = first.keyDim;
    info.valueDim = first.valueDim;
    info.mixer = name(first.kind);
    for (const MixerConfig &mixer : config.layers) {
        info.layers.push_back({std::string(name(mixer.kind)), gammas(mixer), {}, false, mixer.slidingWindow});
        if (mixer.kind != first.kind)
            info.mixer = "hybrid";
        if (mixer.isLinear())
            info.stateBytes += static_cast<std::uint64_t>(mixer.heads * mixer.keyDim * (mixer.valueDim + (mixer.normalises() ? 1 : 0))) * 4;
        else
            info.kvBytesPerToken += static_cast<std::uint64_t>(mixer.kvHeads * (mixer.inputDim + mixer.valueDim)) * elementBytes;
    }
    for (const auto &[name, shape] : requiredTensors(config)) {
        std::uint64_t elements = 1;
        for (const std::int64_t size : shape)
            elements *= static_cast<std::uint64_t>(size);
        info.parameters += elements;
    }
    return info;
}

std::map<std::string, std::vector<std::int64_t>> requiredTensors(const DecoderConfig &config)
{
    Shapes shapes{{"embedding.weight", {config.vocabulary, config.hiddenSize}}};
    if (!config.tiedEmbeddings)
        shapes["output.weight"] = {config.vocabulary, config.hiddenSize};
    if (config.embeddingNorm)
        addNorm(shapes, "embedding_norm", config.norm, config.hiddenSize);
    addNorm(shapes, "norm", config.norm, config.hiddenSize);
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const std::string name = "layers." + std::to_string(i);
        addNorm(shapes, name + ".mixer_norm", config.norm, config.hiddenSize);
        addNorm(shapes, name + ".ffn_norm", config.norm, config.hiddenSize);
        addMixer(shapes, name + ".mixer", config.layers[i], config.hiddenSize);
        if (config.feedForward.kind != FeedForwardConfig::Kind::Gelu)
            shapes[name + ".ffn.gate.weight"] = {config.feedForward.width, config.hiddenSize};
        shapes[name + ".ffn.up.weight"] = {config.feedForward.width, config.hiddenSize};
        shapes[name + ".ffn.down.weight"] = {config.hiddenSize, config.feedForward.width};
    }
    return shapes;
}

} // namespace lens
