// Adapter files: small safetensors files that change a model instead of being one.
#pragma once

#include <filesystem>
#include <optional>

namespace lens {

inline constexpr const char *adapterFormat = "supralens-adapter";      ///< under "format" in the file's metadata
inline constexpr const char *adapterFileName = "adapter.safetensors";  ///< in a folder of its own

/// The adapter that `path` is or, a folder without weights of its own, holds. Nothing for whatever else is there, or is
/// not there, or cannot be read.
std::optional<std::filesystem::path> adapterFileAt(const std::filesystem::path &path);

} // namespace lens
