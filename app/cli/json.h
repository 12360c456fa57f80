// The shapes of the JSON that commands print.
#pragma once

#include "engine/engine.h"

#include <nlohmann/json.hpp>

namespace lens::cli {

using Json = nlohmann::ordered_json;

/// A float without the digits that only its widening to double invents.
Json number(float value);

Json toJson(const ModelInfo &info);
Json toJson(const TokenEvent &event);
Json toJson(const GenerationResult &result);
Json toJson(const GenerationOptions &options);

} // namespace lens::cli
