// Finds plugins and opens them. Libraries stay open until the process ends: models, states and torch operators made by
// them may live anywhere.
#pragma once

#include "model/architecture.h"
#include "model/plugininfo.h"
#include "model/plugintrial.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lens {

/// Opens one library and adds its architectures; their names. What the library throws becomes the error.
Result<std::vector<std::string>> openPlugin(const std::filesystem::path &file, ArchitectureRegistry &registry);

/// Every library in these folders, by file name, the first folder winning; each tried, opened, and asked for its
/// architectures, which are added to `registry`. A plugin that fails adds nothing, and its reason is in the result.
std::vector<PluginInfo> openPlugins(std::span<const std::string> folders, PluginTrials &trials,
                                    ArchitectureRegistry &registry);

} // namespace lens
