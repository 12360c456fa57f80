// Files and JSON of unknown origin, read within limits.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lens {

/// The whole file; LimitExceeded when it is larger than `most` bytes.
Result<std::string> readTextFile(const std::filesystem::path &file, std::size_t most);

/// Malformed when `text` is not JSON, LimitExceeded when it nests too deeply for later recursion to be safe.
Result<nlohmann::json> parseJson(std::string_view text, const std::string &where);

} // namespace lens
