#include "engine/specification.h"

#include <filesystem>

namespace lens {

Result<ModelSpecification> parseSpecification(const std::string &text)
{
    std::error_code error;
    const std::size_t at = text.rfind('@');
    if (at == std::string::npos || std::filesystem::exists(text, error))
        return ModelSpecification{text, std::nullopt};
    const auto conversion = parseConversion(std::string_view(text).substr(at + 1));
    if (!conversion)
        return propagate(conversion);
    return ModelSpecification{text.substr(0, at), *conversion};
}

} // namespace lens
