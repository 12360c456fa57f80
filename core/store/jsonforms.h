// Plain structs as JSON, for columns of the file and for exported documents. Numbers that JSON cannot express are the
// strings "nan", "inf" and "-inf". Readers take what is missing as its default and refuse what has the wrong type.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <nlohmann/json.hpp>

namespace lens {

nlohmann::json toJson(const GenerationOptions &options);
nlohmann::json toJson(const ModelInfo &info);

Result<GenerationOptions> optionsFromJson(const nlohmann::json &json);
Result<ModelInfo> modelInfoFromJson(const nlohmann::json &json);

/// Compact text; bytes that are not UTF-8 become U+FFFD.
std::string dumpJson(const nlohmann::json &json, int indent = -1);

/// Malformed, with the byte at which it goes wrong.
Result<nlohmann::json> parseJson(std::string_view text);

nlohmann::json numberToJson(double value);

/// Throws nlohmann::json::exception for what is no number.
double numberFromJson(const nlohmann::json &json);

} // namespace lens
