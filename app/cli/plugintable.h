// Plugins as a table and as JSON, for `plugins` and --self-test.
#pragma once

#include "cli/json.h"
#include "engine/engine.h"

#include <string>
#include <vector>

namespace lens::cli {

/// With a heading.
std::vector<std::vector<std::string>> rowsOf(const std::vector<PluginInfo> &plugins);
Json toJson(const std::vector<PluginInfo> &plugins);

} // namespace lens::cli
