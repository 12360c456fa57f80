#include "engine/specification.h"

#include <filesystem>

namespace lens {

namespace {

constexpr std::string_view kAdapter = "@adapter=";

/// Where "@adapter=" begins, if that is the last thing said; the adapter's path may have an '@' in it.
std::size_t adapterSign(const std::string &text)
{
    std::error_code error;
    const std::size_t sign = text.rfind(kAdapter);
    const bool isLast = sign != std::string::npos && text.find('@', sign + 1) == std::string::npos;
    const bool exists = sign != std::string::npos && std::filesystem::exists(text.substr(sign + kAdapter.size()), error);
    return isLast || exists ? sign : std::string::npos;
}

} // namespace

Result<ModelSpecification> parseSpecification(const std::string &text)
{
    std::error_code error;
    const std::size_t at = text.rfind('@');
    if (at == std::string::npos || std::filesystem::exists(text, error))
        return ModelSpecification{text, std::nullopt, std::nullopt};
    if (const std::size_t sign = adapterSign(text); sign != std::string::npos)
        return ModelSpecification{text.substr(0, sign), std::nullopt, text.substr(sign + kAdapter.size())};
    const auto conversion = parseConversion(std::string_view(text).substr(at + 1));
    if (!conversion)
        return propagate(conversion);
    return ModelSpecification{text.substr(0, at), *conversion, std::nullopt};
}

} // namespace lens
