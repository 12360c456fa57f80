// "path@supra:retnet": a model and a conversion of it.
#pragma once

#include "base/result.h"
#include "convert/conversion.h"

#include <optional>
#include <string>

namespace lens {

struct ModelSpecification {
    std::string model;                          ///< path, name, or again a specification
    std::optional<ConvertOptions> conversion;
};

/// An existing path is taken as it is, whatever signs its name contains. What follows the last '@' must be a
/// conversion otherwise.
Result<ModelSpecification> parseSpecification(const std::string &text);

} // namespace lens
