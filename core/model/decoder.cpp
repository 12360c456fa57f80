#include "model/decoder.h"

#include "mixer/autograd.h"
#include "mixer/linearmixer.h"
#include "mixer/softmaxmixer.h"
#include "model/decoderweights.h"
#include "model/feedforward.h"
#include "model/mergechanges.h"
#include "model/recomputation.h"
#include "model/weightfacts.h"
#include "tensor/mappedtensor.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace lens {

namespace {

std::vector<MappedFilePtr> filesOf(const NamedTensors &weights, const QuantisedWeights &quantised)
{
    std::set<MappedFilePtr> files;
    for (const auto &[name, tensor] : weights)
        files.insert(fileOf(tensor));
    for (const auto &[name, matrix] : quantised)
        files.insert(fileOf(matrix.blocks()));
    files.erase(nullptr);
    return {files.begin(), files.end()};
}

} // namespace

struct Decoder::Block {
    Norm mixerNorm, feedForwardNorm;
    std::unique_ptr<const SequenceMixer> mixer;
    FeedForward feedForward;

    at::Tensor forward(at::Tensor x, SequenceState &state, const MixerCall &call) const;
};

namespace {

/// Finds weights by their names, and makes of them what they belong to.
class WeightSet {
public:
    WeightSet(const NamedTensors &weights, const QuantisedWeights &quantised)
        : m_weights(weights), m_quantised(quantised)
    {
    }

    at::Tensor get(const std::string &name) const;
    std::optional<QuantisedWeight> blocks(const std::string &name) const;
    at::TensorOptions options() const;
    Projection projection(const std::string &name) const;
    Norm norm(const std::string &name, const NormConfig &config) const;
    FeatureMap featureMap(const std::string &name, const MixerConfig &config) const;
    std::unique_ptr<const SequenceMixer> mixer(const std::string &name, const MixerConfig &config) const;

private:
    const NamedTensors &m_weights;
    const QuantisedWeights &m_quantised;
};

} // namespace

struct Decoder::Parts {
    at::TensorOptions options;
    Projection embedding;  // its rows are looked up; the output's matrix where they are tied
    Norm embeddingNorm, norm;
    std::vector<Block> blocks;
    Projection output;

    Parts(const DecoderConfig &config, const WeightSet &weights);

    at::Tensor embed(const at::Tensor &tokens) const;
};

Decoder::Parts::Parts(const DecoderConfig &config, const WeightSet &weights)
    : options(weights.options()), embedding(weights.projection("embedding")), norm(weights.norm("norm", config.norm))
{
    if (config.embeddingNorm)
        embeddingNorm = weights.norm("embedding_norm", config.norm);
    output = config.tiedEmbeddings ? embedding : weights.projection("output");
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const std::string name = "layers." + std::to_string(i);
        blocks.push_back({weights.norm(name + ".mixer_norm", config.norm),
                          weights.norm(name + ".ffn_norm", config.norm),
                          weights.mixer(name + ".mixer", config.layers[i]),
                          FeedForward{config.feedForward.kind, weights.projection(name + ".ffn.gate"),
                                      weights.projection(name + ".ffn.up"), weights.projection(name + ".ffn.down")}});
    }
}

at::Tensor Decoder::Parts::embed(const at::Tensor &tokens) const
{
    if (embedding.blocks)
        return embedding.blocks->rowsAt(tokens);
    // The first has the faster backward pass, the second a meta form.
    return isRecorded({embedding.weight}) ? at::embedding(embedding.weight, tokens) : embedding.weight.index({tokens});
}

at::Tensor WeightSet::get(const std::string &name) const
{
    const auto found = m_weights.find(name);
    return found == m_weights.end() ? at::Tensor() : found->second;
}

std::optional<QuantisedWeight> WeightSet::blocks(const std::string &name) const
{
    const auto found = m_quantised.find(name);
    return found == m_quantised.end() ? std::nullopt : std::optional(found->second);
}

at::TensorOptions WeightSet::options() const
{
    const at::Tensor embedding = get("embedding.weight");
    return embedding.defined() ? embedding.options() : at::TensorOptions().dtype(at::kFloat);
}

Projection WeightSet::projection(const std::string &name) const
{
    return {get(name + ".weight"), get(name + ".bias"), get(name + ".lora_a"), get(name + ".lora_b"),
            blocks(name + ".weight")};
}

Norm WeightSet::norm(const std::string &name, const NormConfig &config) const
{
    return {config, get(name + ".weight"), get(name + ".bias")};
}

FeatureMap WeightSet::featureMap(const std::string &name, const MixerConfig &config) const
{
    return {config.features, config.featureFloor, get(name + ".weight"), get(name + ".bias")};
}

std::unique_ptr<const SequenceMixer> WeightSet::mixer(const std::string &name, const MixerConfig &config) const
{
    ProjectionSet projections{projection(name + ".q"),
                              projection(name + ".k"),
                              projection(name + ".v"),
                              projection(name + ".out"),
                              norm(name + ".q_norm", config.queryKeyNormConfig),
                              norm(name + ".k_norm", config.queryKeyNormConfig),
                              get(name + ".scale"),
                              options()};
    if (!config.isLinear())
        return std::make_unique<SoftmaxMixer>(config, std::move(projections));
    return std::make_unique<LinearMixer>(
        config, std::move(projections), featureMap(name + ".feature_map", config),
        featureMap(name + (config.sharedFeatures ? ".feature_map" : ".feature_map_k"), config),
        get(name + ".log_decay"));
}

Result<std::shared_ptr<const Decoder>> Decoder::create(DecoderConfig config, NamedTensors weights,
                                                       const std::string &where, WeightCheck check,
                                                       QuantisedWeights quantised)
{
    return guarded(where, [&]() -> Result<std::shared_ptr<const Decoder>> {
        if (auto valid = validate(config, where); !valid)
            return propagate(valid);
        if (auto complete = checkWeights(config, weights, quantised, where, check); !complete)
            return propagate(complete);
        auto parts = std::make_unique<Parts>(config, WeightSet(weights, quantised));
        return std::shared_ptr<const Decoder>(
            new Decoder(std::move(config), std::move(weights), std::move(quantised), std::move(parts)));
    });
}

Decoder::Decoder(DecoderConfig config, NamedTensors weights, QuantisedWeights quantised, std::unique_ptr<Parts> parts)
    : m_config(std::move(config)), m_weights(std::move(weights)), m_quantised(std::move(quantised)),
      m_files(filesOf(m_weights, m_quantised)), m_parts(std::move(parts))
{
}

Result<std::shared_ptr<const Decoder>> Decoder::expanded() const
{
    if (m_quantised.empty())
        return shared_from_this();
    return guarded("quantised weights", [&] {
        NamedTensors weights = m_weights;
        for (const auto &[name, matrix] : m_quantised)
            weights[name] = matrix.expanded();
        mergeLowRank(weights);
        mergeScales(weights);
        return create(m_config, std::move(weights), "quantised weights", WeightCheck::ShapesOnly);
    });
}

Decoder::~Decoder() = default;

void Decoder::checkFiles() const
{
    for (const MappedFilePtr &file : m_files)
        if (file->isCut())
            throw ErrorException(file->checkUnchanged().error());
}

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
    return m_parts->options.device();
}

at::ScalarType Decoder::dtype() const
{
    return c10::typeMetaToScalarType(m_parts->options.dtype());
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
    at::Tensor x = parts.embed(tokens);
    if (m_config.embeddingNorm)
        x = parts.embeddingNorm(x);
    for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
        const Block &block = parts.blocks[i];
        const MixerCall call{static_cast<std::int64_t>(i), state.position(), options.execution, options.probe};
        x = options.recompute && at::GradMode::is_enabled() ? recomputedBlock(block, x, call)
                                                            : block.forward(x, state.layer(i), call);
    }
    state.advance(tokens.size(1));
    at::Tensor result;
    if (options.logits == LogitsWanted::Last)
        x = x.narrow(1, x.size(1) - 1, 1);
    if (options.logits != LogitsWanted::None)
        x = parts.norm(x);
    switch (options.logits) {
    case LogitsWanted::All:
    case LogitsWanted::Last: result = parts.output(x).to(at::kFloat); break;
    case LogitsWanted::Hidden: result = x; break;
    case LogitsWanted::None: break;
    }
    checkFiles();
    return result;
}

ModelInfo Decoder::describe() const
{
    ModelInfo info = lens::describe(m_config, c10::elementSize(dtype()));
    addWeightFacts(info, m_weights, dtype(), device());
    QuantisedWeight::Loss loss;
    for (const auto &[name, matrix] : m_quantised) {
        info.parameters += static_cast<std::uint64_t>(matrix.rows() * matrix.columns());
        info.weightBytes += matrix.bytes();
        loss.squaredError += matrix.loss().squaredError;
        loss.squaredNorm += matrix.loss().squaredNorm;
        if (matrix.loss().squaredNorm > 0)
            info.dtype = matrix.matrix().format == kernels::BlockFormat::Q8_0 ? "int8" : "int4";
    }
    info.quantisationError = loss.squaredNorm > 0 ? std::sqrt(loss.squaredError / loss.squaredNorm) : 0;
    return info;
}

namespace {

std::vector<double> gammas(const MixerConfig &mixer)
{
    std::vector<double> gamma;
    for (const double slope : mixer.slopes)
        gamma.push_back(std::exp(-slope));
    return gamma;
}

} // namespace

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
            info.stateBytes += static_cast<std::uint64_t>(mixer.heads * mixer.keyDim *
                                                          (mixer.valueDim + (mixer.normalises() ? 1 : 0))) *
                               4;
        else
            info.kvBytesPerToken +=
                static_cast<std::uint64_t>(mixer.kvHeads * (mixer.inputDim + mixer.valueDim)) * elementBytes;
    }
    for (const auto &[name, shape] : requiredTensors(config)) {
        std::uint64_t elements = 1;
        for (const std::int64_t size : shape)
            elements *= static_cast<std::uint64_t>(size);
        info.parameters += elements;
    }
    return info;
}

} // namespace lens
