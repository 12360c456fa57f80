#include "checkpoint/adapterfile.h"

#include "checkpoint/safetensors.h"
#include "tensor/torchbridge.h"

namespace lens {

namespace fs = std::filesystem;

namespace {

bool isAdapter(const fs::path &file)
{
    std::error_code error;
    if (file.extension() != ".safetensors" || !fs::is_regular_file(file, error))
        return false;
    const auto metadata = guarded(file.string(), [&]() -> Result<std::map<std::string, std::string>> {
        const auto mapped = MappedFile::open(file);
        return mapped ? readSafetensorsMetadata(**mapped) : propagate(mapped);
    });
    const auto format = metadata ? metadata->find("format") : decltype(metadata->end()){};
    return metadata && format != metadata->end() && format->second == adapterFormat;
}

} // namespace

std::optional<fs::path> adapterFileAt(const fs::path &path)
{
    std::error_code error;
    if (!fs::is_directory(path, error))
        return isAdapter(path) ? std::optional(path) : std::nullopt;
    for (const char *own : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"})
        if (fs::exists(path / own, error))
            return std::nullopt;
    return isAdapter(path / adapterFileName) ? std::optional(path / adapterFileName) : std::nullopt;
}

} // namespace lens
