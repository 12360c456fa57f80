#include "model/nativearchitecture.h"

#include "model/weightplan.h"

#include <nlohmann/json.hpp>

namespace lens {

namespace {

Result<DecoderPlan> planFor(const Checkpoint &checkpoint)
{
    auto config = decoderConfigFromJson(checkpoint.config(), checkpoint.path().string() + ", config.json");
    if (!config)
        return propagate(config);
    DecoderPlan plan{std::move(*config), {}};
    for (const TensorInfo &tensor : checkpoint.tensors())
        plan.weights[tensor.name] = {tensor.name, 0, -1};
    return plan;
}

} // namespace

bool NativeArchitecture::recognises(const Checkpoint &checkpoint) const
{
    const nlohmann::json &config = checkpoint.config();
    return config.is_object() && config.value("model_type", nlohmann::json()) == "supralens";
}

Result<ModelInfo> NativeArchitecture::inspect(const Checkpoint &checkpoint) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    ModelInfo info = inspectPlan(checkpoint, *plan);
    info.format = "SUPRA Lens";
    return info;
}

Result<LanguageModelPtr> NativeArchitecture::build(const Checkpoint &checkpoint, const BuildOptions &options) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    return buildDecoder(checkpoint, *plan, options);
}

} // namespace lens
