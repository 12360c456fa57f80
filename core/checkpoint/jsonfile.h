// Small JSON files that belong to a model: config.json, model_config.json.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace lens {

enum class DuplicateKeys { KeepLast, Refuse };

/// Reads a JSON object of at most 16 MiB and 64 levels. The numbers that Python writes but JSON does not have, bare
/// Infinity, -Infinity and NaN, and their newer spelling {"__float__": "Infinity"}, become such floating-point numbers.
Result<nlohmann::json> readJsonObject(const std::filesystem::path &file,
                                      DuplicateKeys duplicates = DuplicateKeys::KeepLast);

} // namespace lens
