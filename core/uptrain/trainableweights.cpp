#include "uptrain/trainableweights.h"

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

} // namespace

bool isFeatureMap(const std::string &weight)
{
    return weight.find(".feature_map") != std::string::npos;
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
            const bool feedForward = target == "gate" || target == "up" || target == "down";
            addLora(feedForward ? "layers." + std::to_string(i) + ".ffn." + target : mixerName(i) + "." + target, recipe, generator);
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

at::Tensor TrainableWeights::merged(const std::string &name) const
{
    const auto master = m_masters.find(name);
    if (master != m_masters.end())
        return master->second;
    const at::Tensor &weight = m_frozen.at(name);
    const auto a = m_masters.find(without(name, ".weight") + ".lora_a");
    if (a == m_masters.end())
        return weight;
    const at::Tensor &b = m_masters.at(without(name, ".weight") + ".lora_b");
    return weight.to(at::kFloat) + at::matmul(b, a->second) * m_loraScale;
}

NamedTensors TrainableWeights::assembled() const
{
    NamedTensors weights;
    for (const auto &[name, shape] : requiredTensors(m_config))
        weights[name] = merged(name).to(m_computeType);
    for (const auto &[name, weight] : m_frozen)
        weights.try_emplace(name, weight);
    for (const auto &[name, master] : m_masters) {
        if (name.ends_with(".log_slope"))
            weights[without(name, ".log_slope") + ".log_decay"] = master.exp().neg();
        else if (!isLora(name))
            weights.try_emplace(name, master.to(m_computeType));
    }
    return weights;
}

Result<BoundDecoder> TrainableWeights::bind(bool gradients) const
{
    return guarded("training", [&]() -> Result<BoundDecoder> {
        BoundDecoder bound;
        const c10::AutoGradMode mode(gradients);
        NamedTensors weights = assembled();
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

Result<std::shared_ptr<const Decoder>> TrainableWeights::folded(at::ScalarType dtype, const std::string &origin) const
{
    return guarded("training", [&]() -> Result<std::shared_ptr<const Decoder>> {
        const c10::NoGradGuard noGrad;
        DecoderConfig config = trainedConfig(origin);
        NamedTensors weights;
        for (const auto &[name, shape] : requiredTensors(config))
            weights[name] = merged(name);
        for (const auto &[name, weight] : m_frozen)
            weights.try_emplace(name, weight);
        for (const auto &[name, master] : m_masters)
            if (!isLora(name) && !isMixerExtra(name))
                weights.try_emplace(name, master);
        for (std::size_t i = 0; i < config.layers.size(); ++i) {
            if (const auto scale = m_masters.find(mixerName(i) + ".scale"); scale != m_masters.end()) {
                at::Tensor &out = weights.at(mixerName(i) + ".out.weight");
                out = out.to(at::kFloat) * scale->second.unsqueeze(0);
            }
        }
        for (auto &[name, weight] : weights)
            weight = weight.detach().to(dtype, false, true).contiguous();
        return Decoder::create(std::move(config), std::move(weights), "training");
    });
}

} // namespace lens
