#include "convert/adapterlayout.h"

#include "checkpoint/bytereader.h"
#include "model/decoder.h"
#include "model/mergechanges.h"
#include "model/weightloader.h"

#include <ATen/ATen.h>
#include <algorithm>
#include <array>
#include <c10/core/GradMode.h>

namespace lens {

namespace {

using Shape = std::vector<std::int64_t>;
using Shapes = std::map<std::string, Shape>;

constexpr std::string_view kA = ".lora_a", kB = ".lora_b", kScale = ".scale", kWeight = ".weight";

std::string without(const std::string &name, std::string_view ending)
{
    return name.substr(0, name.size() - ending.size());
}

bool isFeatureMap(const std::string &name)
{
    return name.find(".mixer.feature_map") != std::string::npos;
}

bool isProjection(const std::string &name)
{
    static constexpr std::array<std::string_view, 7> kinds = {".mixer.q", ".mixer.k", ".mixer.v", ".mixer.out",
                                                              ".ffn.gate", ".ffn.up", ".ffn.down"};
    return std::ranges::any_of(kinds, [&](std::string_view kind) { return name.ends_with(kind); });
}

/// [H*dv] of the linear layers.
Shapes scaleShapes(const DecoderConfig &config)
{
    Shapes shapes;
    for (std::size_t i = 0; i < config.layers.size(); ++i)
        if (config.layers[i].isLinear())
            shapes["layers." + std::to_string(i) + ".mixer.scale"] = {config.layers[i].heads * config.layers[i].valueDim};
    return shapes;
}

Result<void> checkLora(const std::string &projection, const NamedTensors &tensors, const Shapes &required, const std::string &where)
{
    const auto weight = required.find(projection + std::string(kWeight));
    const auto a = tensors.find(projection + std::string(kA)), b = tensors.find(projection + std::string(kB));
    if (!isProjection(projection) || weight == required.end() || a == tensors.end() || b == tensors.end())
        return fail(ErrorCode::Malformed, "a low-rank change is not of a projection, or not complete", where + ", " + shortened(projection));
    const std::int64_t out = weight->second[0], in = weight->second[1];
    const std::int64_t rank = a->second.dim() == 2 ? a->second.size(0) : 0;
    if (rank < 1 || rank > std::min(in, out) || a->second.sizes() != Shape{rank, in} || b->second.sizes() != Shape{out, rank})
        return fail(ErrorCode::Malformed, "a low-rank change does not fit its projection", where + ", " + shortened(projection));
    return {};
}

Result<void> checkOne(const std::string &name, const at::Tensor &tensor, const SupraAdapter &adapter, const Shapes &required,
                      const Shapes &scales, const std::string &where)
{
    const std::string place = where + ", " + shortened(name);
    if (name.ends_with(kA) || name.ends_with(kB)) {
        if (auto checked = checkLora(without(name, kA), adapter.tensors, required, where); !checked)
            return checked;
    } else {
        const Shapes &shapes = isFeatureMap(name) ? required : scales;
        const auto shape = shapes.find(name);
        if (shape == shapes.end())
            return fail(ErrorCode::Malformed, "an adapter has no such tensor", place);
        if (tensor.sizes() != shape->second)
            return fail(ErrorCode::Malformed, "the tensor has another shape than the configuration says", place);
    }
    return checkFinite(tensor, place);
}

} // namespace

Result<void> checkAdapterTensors(const SupraAdapter &adapter, const std::string &where)
{
    const Shapes required = requiredTensors(adapter.config), scales = scaleShapes(adapter.config);
    for (const auto &[name, tensor] : adapter.tensors)
        if (auto checked = checkOne(name, tensor, adapter, required, scales, where); !checked)
            return checked;
    for (const auto &[name, shape] : required)
        if (isFeatureMap(name) && !adapter.tensors.contains(name))
            return fail(ErrorCode::Malformed, "a feature map is missing", where + ", " + name);
    return {};
}

NamedTensors adaptedWeights(const Decoder &base, const SupraAdapter &adapter)
{
    const c10::NoGradGuard noGrad;
    NamedTensors weights = base.weights();
    std::erase_if(weights, [](const auto &weight) { return isFeatureMap(weight.first); });
    for (const auto &[name, tensor] : adapter.tensors) {
        const at::Tensor here = tensor.to(base.device());
        weights[name] = name.ends_with(kB) ? here * adapter.loraScale : here;
    }
    // A matrix that stays in its blocks keeps its changes beside it.
    mergeLowRank(weights);
    mergeScales(weights);
    for (auto &[name, tensor] : weights)
        tensor = tensor.to(base.dtype()).contiguous();
    return weights;
}

} // namespace lens
