// The descriptor inside a plugin's file, read without running anything of it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace lens {

struct PluginDescriptor {
    std::int64_t interface = 0;
    std::string libTorch;
    std::string name, version, summary;
};

/// ErrorCode::Malformed when the file holds no descriptor, Truncated or Io when it cannot be read.
Result<PluginDescriptor> readPluginDescriptor(const std::filesystem::path &file);

/// ErrorCode::Mismatch when a plugin so described was built for another interface or another LibTorch than this
/// program.
Result<void> checkCompatible(const PluginDescriptor &descriptor, const std::filesystem::path &file);

} // namespace lens
