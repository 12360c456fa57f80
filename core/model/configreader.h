// Reads a model's JSON configuration, which is untrusted: every number is checked against a range, and the first
// thing that is wrong is remembered instead of thrown.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

namespace lens {

class ConfigReader {
public:
    ConfigReader(const nlohmann::json &object, std::string where) : m_object(object), m_where(std::move(where)) {}

    /// Present and not null.
    bool has(const char *key) const;
    const nlohmann::json &object() const { return m_object; }

    /// A missing or null value gives `fallback`; without one it is an error.
    std::int64_t integer(const char *key, std::int64_t least, std::int64_t most, std::optional<std::int64_t> fallback = {});
    double number(const char *key, double least, double most, std::optional<double> fallback = {});
    bool boolean(const char *key, bool fallback);
    std::string text(const char *key, std::string fallback);

    void reject(ErrorCode code, std::string what, std::string advice = {});
    const std::optional<Error> &error() const { return m_error; }

private:
    const nlohmann::json &m_object;
    std::string m_where;
    std::optional<Error> m_error;
};

} // namespace lens
