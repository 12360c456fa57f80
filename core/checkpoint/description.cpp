#include "checkpoint/description.h"

#include "checkpoint/jsonfile.h"

#include <algorithm>

namespace lens {

namespace {

void dropPrefix(std::string &name, std::string_view prefix)
{
    if (name.starts_with(prefix))
        name.erase(0, prefix.size());
}

} // namespace

Result<Description> readDescription(const std::filesystem::path &folder)
{
    Description description;
    for (const char *name : {"config.json", "model_config.json"}) {
        const std::filesystem::path file = folder / name;
        std::error_code error;
        if (!std::filesystem::exists(file, error))
            continue;
        Result<nlohmann::json> config = readJsonObject(file);
        if (!config)
            return propagate(config);
        const auto type = config->find("model_type");
        const bool isOpenLm = type != config->end() && *type == "openlm";
        description.config = std::move(*config);
        description.format = isOpenLm || file.filename() == "model_config.json" ? CheckpointFormat::OpenLm
                                                                                : CheckpointFormat::HuggingFace;
        description.files = {file};
        break;
    }
    return description;
}

void dropOpenLmPrefixes(std::vector<StoredTensor> &tensors)
{
    constexpr std::string_view compiled = "_orig_mod.";
    for (StoredTensor &tensor : tensors) {
        std::string &name = tensor.info.name;
        dropPrefix(name, "module.");
        for (std::size_t at = name.find(compiled); at != name.npos; at = name.find(compiled))
            name.erase(at, compiled.size());
        dropPrefix(name, "model.");
    }
}

bool looksLikeOpenLm(const std::vector<StoredTensor> &tensors)
{
    return std::ranges::any_of(tensors, [](const StoredTensor &tensor) {
        return tensor.info.name.ends_with("layers.0.attention.in_proj.weight");
    });
}

} // namespace lens
