#include "uptrain/trainableweights.h"

#include "model/mergechanges.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <ATen/CPUGeneratorImpl.h>
#include <algorithm>
#include <cmath>
#include <torch/csrc/autograd/autograd.h>

namespace lens {

namespace {

constexpr double kLeastSlope = 1e-6;  // stands for "no decay" where the logarithm of a slope is learned

std::string mixerName(std::size_t layer)
{
    return "layers." + std::to_string(layer) + ".mixer";
}

std::string without(const std::string &name, std::string_view ending)
{
    return name.substr(0, name.size() - ending.size());
}

/// Of a target of LoraOptions.
std::string projectionName(std::size_t layer, const std::string &target)
{
    const bool feedForward = target == "gate" || target == "up" || target == "down";
    return feedForward ? "layers." + std::to_string(layer) + ".ffn." + target : mixerName(layer) + "." + target;
}

bool isLora(const std::string &name)
{
    return name.ends_with(".lora_a") || name.ends_with(".lora_b");
}

bool isMixerExtra(const std::string &name)
{
    return name.ends_with(".log_slope") || name.ends_with(".scale");
}

bool anyStage(const Recipe &recipe, Trainable trainable)
{
    return std::any_of(recipe.stages.begin(), recipe.stages.end(),
                       [&](const TrainingStage &stage) { return stage.trainable == trainable; });
}

bool trains(Trainable trainable, const std::string &master)
{
    switch (trainable) {
    case Trainable::All: return true;
    case Trainable::FeatureMaps: return isFeatureMap(master) || isMixerExtra(master);
    case Trainable::Adapter: return isFeatureMap(master) || isMixerExtra(master) || isLora(master);
    }
    return false;
}

bool hasFeatureMapsOrExtras(const Decoder &start, const Recipe &recipe)
{
    const std::vector<MixerConfig> &layers = start.config().layers;
    const NamedTensors &weights = start.weights();
    return std::any_of(weights.begin(), weights.end(), [](const auto &weight) { return isFeatureMap(weight.first); })
           || ((recipe.learnDecay || recipe.learnScale)
               && std::any_of(layers.begin(), layers.end(), [](const MixerConfig &mixer) { return mixer.isLinear(); }));
}

/// The projections that a recipe changes, as far as the decoder has them.
std::vector<std::string> adaptedProjections(const Decoder &start, const Recipe &recipe)
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < start.config().layers.size(); ++i)
        for (const std::string &target : recipe.lora.targets)
            if (const std::string name = projectionName(i, target); start.weights().contains(name + ".weight"))
                names.push_back(name);
    return names;
}

} // namespace

bool isFeatureMap(const std::string &weight)
{
    return weight.find(".feature_map") != std::string::npos;
}

Result<void> checkTrainable(const Decoder &start, const Recipe &recipe)
{
    const bool extras = hasFeatureMapsOrExtras(start, recipe);
    const std::vector<std::string> projections = adaptedProjections(start, recipe);
    for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
        const Trainable trainable = recipe.stages[i].trainable;
        if (trainable == Trainable::All || extras || (trainable == Trainable::Adapter && !projections.empty()))
            continue;
        return fail(ErrorCode::InvalidArgument, "stage " + std::to_string(i + 1) + " trains nothing: the model has no feature maps",
                    "recipe", "train all weights or an adapter, learn the scale, or choose a conversion with feature maps");
    }
    if (!anyStage(recipe, Trainable::Adapter))
        return {};
    for (const std::string &name : projections) {
        const at::Tensor &weight = start.weights().at(name + ".weight");
        if (recipe.lora.rank > std::min(weight.size(0), weight.size(1)))
            return fail(ErrorCode::InvalidArgument, "a low-rank change of rank " + std::to_string(recipe.lora.rank)
                        + " is larger than the projection, which has rank " + std::to_string(std::min(weight.size(0), weight.size(1))),
                        name, "choose a smaller rank");
    }
    return {};
}

TrainableWeights::TrainableWeights(const Decoder &start, const Recipe &recipe, at::ScalarType computeType)
    : m_config(start.config()), m_loraScale(recipe.lora.alpha / static_cast<double>(recipe.lora.rank)), m_computeType(computeType)
{
    const bool all = anyStage(recipe, Trainable::All);
    for (const auto &[name, weight] : start.weights()) {
        if (all || isFeatureMap(name))
            addMaster(name, weight);
        else
            m_frozen[name] = weight.to(computeType);
    }
    addLayerMasters(recipe, at::make_generator<at::CPUGeneratorImpl>(recipe.seed));
}

void TrainableWeights::addMaster(const std::string &name, const at::Tensor &value)
{
    m_masters[name] = value.detach().to(at::kFloat, false, true).contiguous();
}

void TrainableWeights::addLayerMasters(const Recipe &recipe, at::Generator generator)
{
    for (std::size_t i = 0; i < m_config.layers.size(); ++i) {
        const MixerConfig &mixer = m_config.layers[i];
        if (mixer.isLinear() && recipe.learnDecay)
            addMaster(mixerName(i) + ".log_slope", at::tensor(mixer.slopes, at::kDouble).clamp_min(kLeastSlope).log());
        if (mixer.isLinear() && recipe.learnScale)
            addMaster(mixerName(i) + ".scale", at::ones({mixer.heads * mixer.valueDim}));
        if (!anyStage(recipe, Trainable::Adapter))
            continue;
        for (const std::string &target : recipe.lora.targets) {
            addLora(projectionName(i, target), recipe, generator);
        }
    }
}

void TrainableWeights::addLora(const std::string &projection, const Recipe &recipe, at::Generator generator)
{
    const auto weight = m_frozen.find(projection + ".weight");
    if (weight == m_frozen.end())
        return;
    const std::int64_t out = weight->second.size(0), in = weight->second.size(1);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    addMaster(projection + ".lora_a", at::empty({recipe.lora.rank, in}, at::kFloat).uniform_(-bound, bound, generator));
    addMaster(projection + ".lora_b", at::zeros({out, recipe.lora.rank}));
}

std::vector<std::string> TrainableWeights::select(Trainable trainable)
{
    std::vector<std::string> names;
    for (auto &[name, master] : m_masters) {
        const bool trained = trains(trainable, name);
        master.set_requires_grad(trained);
        if (trained)
            names.push_back(name);
    }
    return names;
}

void TrainableWeights::addChanges(NamedTensors &weights) const
{
    for (const auto &[name, master] : m_masters)
        if (isLora(name))
            weights[name] = name.ends_with(".lora_b") ? master * m_loraScale : master;
}

NamedTensors TrainableWeights::assembled(bool mergeChanges) const
{
    NamedTensors weights = m_frozen;
    for (const auto &[name, master] : m_masters) {
        if (name.ends_with(".log_slope"))
            weights[without(name, ".log_slope") + ".log_decay"] = master.exp().neg();
        else if (!isLora(name))
            weights[name] = master;
    }
    addChanges(weights);
    if (mergeChanges)
        mergeLowRank(weights);
    for (auto &[name, weight] : weights)
        if (!name.ends_with(".log_decay"))
            weight = weight.to(m_computeType);
    return weights;
}

Result<BoundDecoder> TrainableWeights::bind(bool gradients) const
{
    return guarded("training", [&]() -> Result<BoundDecoder> {
        BoundDecoder bound;
        const c10::AutoGradMode mode(gradients);
        NamedTensors weights = assembled(!gradients);
        for (auto &[name, weight] : weights) {
            const at::Tensor leaf = weight.detach();
            if (gradients && weight.requires_grad()) {
                leaf.set_requires_grad(true);
                bound.assembled.push_back(weight);
                bound.leaves.push_back(leaf);
            }
            weight = leaf;
        }
        auto decoder = Decoder::create(m_config, std::move(weights), "training", WeightCheck::ShapesOnly);
        if (!decoder)
            return propagate(decoder);
        bound.decoder = std::move(*decoder);
        return bound;
    });
}

void TrainableWeights::pullBack(const BoundDecoder &bound)
{
    std::vector<at::Tensor> gradients;
    for (const at::Tensor &leaf : bound.leaves)
        gradients.push_back(leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
    torch::autograd::backward(bound.assembled, gradients);
}

Result<void> TrainableWeights::assign(const NamedTensors &masters, const std::string &where)
{
    const c10::NoGradGuard noGrad;
    for (auto &[name, master] : m_masters) {
        const auto found = masters.find(name);
        if (found == masters.end() || found->second.sizes() != master.sizes())
            return fail(ErrorCode::Mismatch, "the checkpoint belongs to another model or recipe", where + ", " + name);
        master.copy_(found->second);
    }
    return {};
}

DecoderConfig TrainableWeights::trainedConfig(const std::string &origin) const
{
    DecoderConfig config = m_config;
    config.untrained = false;
    config.origin = origin;
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const auto slope = m_masters.find(mixerName(i) + ".log_slope");
        if (slope == m_masters.end())
            continue;
        const at::Tensor slopes = slope->second.detach().to(at::kCPU, at::kDouble).exp().contiguous();
        config.layers[i].slopes.assign(slopes.const_data_ptr<double>(), slopes.const_data_ptr<double>() + slopes.numel());
    }
    return config;
}

Result<SupraAdapter> TrainableWeights::adapter(const std::string &origin) const
{
    return guarded("training", [&]() -> Result<SupraAdapter> {
        const c10::NoGradGuard noGrad;
        SupraAdapter adapter;
        adapter.config = trainedConfig(origin);
        adapter.loraScale = m_loraScale;
        for (const auto &[name, master] : m_masters)
            if (!name.ends_with(".log_slope"))
                adapter.tensors[name] = master.detach().to(at::kCPU, at::kFloat, false, true);
        return adapter;
    });
}

Result<std::shared_ptr<const Decoder>> TrainableWeights::folded(at::ScalarType dtype, const std::string &origin,
                                                                        const Decoder &start) const
{
    return guarded("training", [&]() -> Result<std::shared_ptr<const Decoder>> {
        const c10::NoGradGuard noGrad;
        DecoderConfig config = trainedConfig(origin);
        NamedTensors weights = start.weights();
        for (const auto &[name, master] : m_masters)
            if (!isLora(name) && !name.ends_with(".log_slope"))
                weights[name] = master;
        addChanges(weights);
        mergeLowRank(weights);
        mergeScales(weights);
        for (auto &[name, weight] : weights)
            weight = weight.detach().to(dtype, false, true).contiguous();
        return Decoder::create(std::move(config), std::move(weights), "training");
    });
}

} // namespace lens
