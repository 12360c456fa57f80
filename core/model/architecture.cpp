#include "model/architecture.h"

#include "model/llamaarchitecture.h"
#include "model/nativearchitecture.h"
#include "model/openlmarchitecture.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

std::string whatItSays(const Checkpoint &checkpoint)
{
    const nlohmann::json &config = checkpoint.config();
    for (const char *key : {"model_type", "general.architecture"})
        if (config.is_object() && config.contains(key) && config.at(key).is_string())
            return "\"" + config.at(key).get<std::string>() + "\"";
    return "of an unknown kind";
}

} // namespace

ArchitectureRegistry ArchitectureRegistry::withBuiltins()
{
    ArchitectureRegistry registry;
    registry.add(std::make_unique<NativeArchitecture>());
    registry.add(std::make_unique<LlamaArchitecture>());
    registry.add(std::make_unique<OpenLmArchitecture>());
    return registry;
}

void ArchitectureRegistry::add(std::unique_ptr<const Architecture> architecture)
{
    m_architectures.push_back(std::move(architecture));
}

void ArchitectureRegistry::append(ArchitectureRegistry other)
{
    std::ranges::move(other.m_architectures, std::back_inserter(m_architectures));
}

Result<const Architecture *> ArchitectureRegistry::find(const Checkpoint &checkpoint) const
{
    for (const auto &architecture : m_architectures) {
        const Result<bool> recognised = guarded(
            checkpoint.path().string(), [&]() -> Result<bool> { return architecture->recognises(checkpoint); });
        if (recognised && *recognised)
            return architecture.get();
    }
    return fail(ErrorCode::Unsupported, "the model is " + whatItSays(checkpoint) + ", which no architecture here can run",
                checkpoint.path().string(), "Llama, Mistral and open_lm models are built in, other families come as plugins");
}

} // namespace lens
