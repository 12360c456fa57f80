#include "mambaarchitecture.h"

#include "mambaconfig.h"
#include "mambamodel.h"
#include "tensor/torchbridge.h"

namespace lens::mamba {

namespace {

ModelInfo factsOf(const MambaPlan &plan, const Checkpoint &checkpoint)
{
    ModelInfo info = describe(plan.config);
    info.format = std::string(name(checkpoint.format()));
    for (const auto &[name, tensor] : plan.weights) {
        std::uint64_t elements = 1;
        for (const std::int64_t size : tensor.shape)
            elements *= static_cast<std::uint64_t>(size);
        info.parameters += elements;
    }
    return info;
}

} // namespace

bool MambaArchitecture::recognises(const Checkpoint &checkpoint) const
{
    return looksLikeMamba(checkpoint);
}

Result<ModelInfo> MambaArchitecture::inspect(const Checkpoint &checkpoint) const
{
    return guarded(checkpoint.path().string(), [&]() -> Result<ModelInfo> {
        const auto plan = planFor(checkpoint);
        if (!plan)
            return propagate(plan);
        return factsOf(*plan, checkpoint);
    });
}

Result<LanguageModelPtr> MambaArchitecture::build(const Checkpoint &checkpoint, const BuildOptions &options) const
{
    return guarded(checkpoint.path().string(), [&]() -> Result<LanguageModelPtr> {
        const auto plan = planFor(checkpoint);
        if (!plan)
            return propagate(plan);
        const auto weights = loadWeights(checkpoint, plan->weights, options);
        if (!weights)
            return propagate(weights);
        return std::make_shared<const MambaModel>(plan->config, *weights, factsOf(*plan, checkpoint));
    });
}

} // namespace lens::mamba
