#include "engine/modelfacts.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

namespace fs = std::filesystem;

std::string shortName(fs::path path)
{
    if (!path.has_filename())
        path = path.parent_path();
    std::error_code error;
    if (fs::is_directory(path, error))
        return fs::absolute(path, error).lexically_normal().filename().string();
    // Such a file is named after its kind, its folder after the model.
    const std::string stem = path.stem().string();
    const bool isGeneric = stem == "model" || stem == "pytorch_model" || stem.starts_with("epoch_");
    const fs::path folder = fs::absolute(path, error).parent_path();
    return isGeneric && folder.has_filename() ? folder.filename().string() : stem;
}

std::string storageOf(const std::vector<TensorInfo> &tensors)
{
    std::map<std::string, int> counts;
    for (const TensorInfo &tensor : tensors)
        ++counts[std::string(name(tensor.dtype))];
    std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
    std::ranges::stable_sort(sorted, std::ranges::greater(), [](const auto &entry) { return entry.second; });
    std::string text;
    for (const auto &[type, count] : sorted)
        text += (text.empty() ? "" : ", ") + type + " (" + std::to_string(count) + ")";
    return text;
}

std::string licenceOf(const nlohmann::json &config)
{
    for (const char *key : {"general.license", "license", "licence"})
        if (const auto found = config.find(key); found != config.end() && found->is_string())
            return found->get<std::string>();
    return {};
}

} // namespace

void addFileFacts(ModelInfo &info, const Checkpoint &checkpoint, const std::string &path)
{
    info.name = shortName(path);
    info.path = path;
    if (info.format.empty())
        info.format = name(checkpoint.format());
    info.storage = storageOf(checkpoint.tensors());
    if (info.licence.empty())
        info.licence = licenceOf(checkpoint.config());
    info.fileBytes = 0;
    for (const fs::path &file : checkpoint.files()) {
        std::error_code error;
        const std::uintmax_t size = fs::file_size(file, error);
        info.fileBytes += error ? 0 : size;
    }
}

ModelInfo withKnownFacts(ModelInfo described, const ModelInfo &known)
{
    described.name = known.name;
    described.path = known.path;
    described.format = known.format;
    described.storage = known.storage;
    described.licence = known.licence;
    described.fileBytes = known.fileBytes;
    described.fingerprint = known.fingerprint;
    described.deviceNote = known.deviceNote;
    described.tokenizer = known.tokenizer;
    described.chatTemplate = known.chatTemplate;
    described.chatTemplateNote = known.chatTemplateNote;
    if (described.origin.empty())
        described.origin = known.origin;
    described.untrained |= known.untrained;
    return described;
}

} // namespace lens
