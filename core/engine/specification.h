// "path@supra:retnet": a model and a conversion of it. "path@adapter=file": a model and an adapter to it.
#pragma once

#include "base/result.h"
#include "convert/conversion.h"

#include <optional>
#include <string>

namespace lens {

struct ModelSpecification {
    std::string model;                          ///< path, name, or again a specification
    std::optional<ConvertOptions> conversion;
    std::optional<std::string> adapter;         ///< path or name; never with a conversion
};

/// An existing path is taken as it is, whatever signs its name contains. What follows the last '@' must be a
/// conversion or an adapter otherwise.
Result<ModelSpecification> parseSpecification(const std::string &text);

} // namespace lens
