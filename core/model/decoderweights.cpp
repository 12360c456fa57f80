#include "model/decoderweights.h"

#include "model/weightloader.h"

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

/// Of a weight, as tensor or in blocks; empty where there is none.
Shape shapeOf(const std::string &name, const NamedTensors &weights, const QuantisedWeights &quantised)
{
    if (const auto found = weights.find(name); found != weights.end())
        return found->second.sizes().vec();
    const auto blocks = quantised.find(name);
    return blocks == quantised.end() ? Shape() : Shape{blocks->second.rows(), blocks->second.columns()};
}

Result<void> checkLowRank(const NamedTensors &weights, const QuantisedWeights &quantised, const std::string &where)
{
    for (const auto &[name, a] : weights) {
        if (!name.ends_with(".lora_a"))
            continue;
        const std::string projection = name.substr(0, name.size() - std::string_view(".lora_a").size());
        const Shape weight = shapeOf(projection + ".weight", weights, quantised);
        const auto b = weights.find(projection + ".lora_b");
        if (weight.size() != 2 || b == weights.end() || a.dim() != 2)
            return fail(ErrorCode::Mismatch, "a low-rank change needs a projection and two factors",
                        where + ", " + projection);
        if (auto fits = checkShape(a.sizes().vec(), {a.size(0), weight[1]}, where + ", " + name); !fits)
            return fits;
        if (auto fits = checkShape(b->second.sizes().vec(), {weight[0], a.size(0)}, where + ", " + b->first); !fits)
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
    return {};
}

Result<void> checkQuantised(const NamedTensors &weights, const QuantisedWeights &quantised, const std::string &where,
                            WeightCheck check)
{
    for (const auto &[name, tensor] : weights)
        if (!quantised.empty() && (!tensor.is_cpu() || tensor.scalar_type() != at::kFloat))
            return fail(ErrorCode::Mismatch, "beside quantised weights the others are float32 on the CPU",
                        where + ", " + name);
    for (const auto &[name, matrix] : quantised) {
        if (check == WeightCheck::ShapesOnly)
            continue;
        // The sums of rows, which a single number that is none would spoil.
        if (auto finite = checkFinite(matrix.linear(at::ones({matrix.columns()})), where + ", " + name); !finite)
            return finite;
    }
    return {};
}

} // namespace

Result<void> checkWeights(const DecoderConfig &config, const NamedTensors &weights, const QuantisedWeights &quantised,
                          const std::string &where, WeightCheck check)
{
    for (const auto &[name, shape] : requiredTensors(config)) {
        const Shape is = shapeOf(name, weights, quantised);
        if (is.empty())
            return fail(ErrorCode::Mismatch, "the tensor is missing", where + ", " + name);
        if (auto fits = checkShape(is, shape, where + ", " + name); !fits)
            return fits;
    }
    if (auto fit = checkQuantised(weights, quantised, where, check); !fit)
        return fit;
    for (const auto &[name, tensor] : weights) {
        const Shape weight =
            name.ends_with(".bias") ? shapeOf(name.substr(0, name.size() - 4) + "weight", weights, quantised) : Shape();
        if (!weight.empty() && (tensor.dim() == 0 || tensor.size(0) != weight[0]))
            return checkShape(tensor.sizes().vec(), {weight[0]}, where + ", " + name);
        if (check == WeightCheck::ShapesOnly)
            continue;
        if (auto finite = checkFinite(tensor, where + ", " + name); !finite)
            return finite;
    }
    if (auto fit = checkLowRank(weights, quantised, where); !fit)
        return fit;
    return checkLearned(config, weights, where);
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
