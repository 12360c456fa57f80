// model.safetensors.index.json and pytorch_model.bin.index.json: {metadata: {total_size}, weight_map: {tensor: file}}.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace lens {

struct ShardIndex {
    std::map<std::string, std::string> fileOf; ///< tensor name to file name, as written
    std::optional<std::uint64_t> totalSize;
};

/// A tensor that is listed twice is an error, which a JSON tree would hide.
Result<ShardIndex> readShardIndex(const std::filesystem::path &file);

} // namespace lens
