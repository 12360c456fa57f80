// The JSON in front of a safetensors file, read as a stream of events: a tree would hide duplicate keys and would let a
// small file ask for a lot of memory.
#pragma once

#include "checkpoint/storedtensor.h"

#include <map>
#include <string>
#include <string_view>

namespace lens {

struct HeaderEntry {
    TensorInfo info;
    std::uint64_t begin = 0; ///< relative to the data
    std::uint64_t end = 0;
};

struct SafetensorsHeader {
    std::vector<HeaderEntry> entries;
    std::map<std::string, std::string> metadata;
};

/// Checks the shape of the JSON, types and ranks; not whether ranges fit shapes or the file. `file` is for errors.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, const std::filesystem::path &file);

} // namespace lens
