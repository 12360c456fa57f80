#include "model/configreader.h"

#include <cmath>

namespace lens {

bool ConfigReader::has(const char *key) const
{
    return m_object.is_object() && m_object.contains(key) && !m_object.at(key).is_null();
}

std::int64_t ConfigReader::integer(const char *key, std::int64_t least, std::int64_t most, std::optional<std::int64_t> fallback)
{
    if (!has(key)) {
        if (!fallback)
            reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is missing");
        return fallback.value_or(least);
    }
    const double value = number(key, static_cast<double>(least), static_cast<double>(most));
    if (value != std::floor(value))
        reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is not a whole number");
    return m_error ? least : static_cast<std::int64_t>(value);
}

double ConfigReader::number(const char *key, double least, double most, std::optional<double> fallback)
{
    if (!has(key)) {
        if (!fallback)
            reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is missing");
        return fallback.value_or(least);
    }
    const nlohmann::json &value = m_object.at(key);
    if (!value.is_number()) {
        reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is not a number");
        return least;
    }
    const double read = value.get<double>();
    if (!(read >= least && read <= most)) {
        reject(ErrorCode::LimitExceeded, "\"" + std::string(key) + "\" is " + value.dump() + ", outside of what is possible");
        return least;
    }
    return read;
}

bool ConfigReader::boolean(const char *key, bool fallback)
{
    if (!has(key))
        return fallback;
    if (!m_object.at(key).is_boolean()) {
        reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is neither true nor false");
        return fallback;
    }
    return m_object.at(key).get<bool>();
}

std::string ConfigReader::text(const char *key, std::string fallback)
{
    if (!has(key))
        return fallback;
    if (!m_object.at(key).is_string()) {
        reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is not a text");
        return fallback;
    }
    return m_object.at(key).get<std::string>();
}

void ConfigReader::reject(ErrorCode code, std::string what, std::string advice)
{
    if (!m_error)
        m_error = Error{code, std::move(what), m_where, std::move(advice)};
}

} // namespace lens
