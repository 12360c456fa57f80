#include "checkpoint/jsonfile.h"

#include "checkpoint/bytereader.h"
#include "tensor/mappedfile.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace lens {

namespace {

constexpr std::size_t kLargestFile = 16u << 20;
constexpr int kDeepest = 64;

struct PythonFloat {
    std::string_view spelling;
    double value;
};

// The longer spelling first: "-Infinity" contains "Infinity".
constexpr std::array kPythonFloats{
    PythonFloat{"-Infinity", -std::numeric_limits<double>::infinity()},
    PythonFloat{"Infinity", std::numeric_limits<double>::infinity()},
    PythonFloat{"NaN", std::numeric_limits<double>::quiet_NaN()},
};

/// Spells bare Infinity, -Infinity and NaN outside strings as objects, which JSON can hold.
std::string withPythonFloatsSpelledOut(std::string_view text)
{
    std::string result;
    bool inString = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inString && c == '\\' && i + 1 < text.size()) {
            result += c;
            result += text[++i];
            continue;
        }
        inString ^= c == '"';
        const PythonFloat *found = nullptr;
        for (const PythonFloat &candidate : kPythonFloats)
            if (!inString && !found && text.substr(i).starts_with(candidate.spelling))
                found = &candidate;
        if (!found) {
            result += c;
            continue;
        }
        result += "{\"__float__\":\"" + std::string(found->spelling) + "\"}";
        i += found->spelling.size() - 1;
    }
    return result;
}

using Event = nlohmann::json::parse_event_t;

/// Watches the parser: what exceeds a limit is dropped instead of stored, and noted.
class ParseGuard {
public:
    explicit ParseGuard(DuplicateKeys duplicates) : m_duplicates(duplicates) {}

    bool accept(int depth, Event event, const nlohmann::json &parsed)
    {
        m_tooDeep |= depth > kDeepest;
        if (m_duplicates == DuplicateKeys::Refuse && !m_tooDeep && event == Event::object_start)
            m_keys.emplace_back();
        if (m_duplicates == DuplicateKeys::Refuse && !m_tooDeep && event == Event::object_end && !m_keys.empty())
            m_keys.pop_back();
        if (m_duplicates == DuplicateKeys::Refuse && event == Event::key && !m_keys.empty()) {
            const std::string key = parsed.get<std::string>();
            if (!m_keys.back().insert(key).second)
                m_repeatedKey = key;
        }
        return !m_tooDeep;
    }

    bool tooDeep() const { return m_tooDeep; }
    const std::string &repeatedKey() const { return m_repeatedKey; }

private:
    DuplicateKeys m_duplicates;
    bool m_tooDeep = false;
    std::string m_repeatedKey;
    std::vector<std::unordered_set<std::string>> m_keys; ///< of the objects now open
};

/// Depth is bounded by kDeepest.
void restorePythonFloats(nlohmann::json &value)
{
    if (value.is_object() && value.size() == 1 && value.begin().key() == "__float__" && value.begin()->is_string()) {
        const std::string spelling = *value.begin();
        for (const PythonFloat &candidate : kPythonFloats)
            if (candidate.spelling == spelling) {
                value = candidate.value;
                return;
            }
    }
    if (value.is_structured())
        for (nlohmann::json &element : value)
            restorePythonFloats(element);
}

} // namespace

Result<nlohmann::json> readJsonObject(const std::filesystem::path &file, DuplicateKeys duplicates)
{
    const Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const std::span<const std::byte> bytes = (*mapped)->bytes();
    if (bytes.size() > kLargestFile)
        return fail(ErrorCode::LimitExceeded,
                    "the file has " + std::to_string(bytes.size()) +
                        " bytes, too many for a "
                        "description of a model",
                    file.string(), "check that this is the right file");
    const std::string text = withPythonFloatsSpelledOut({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    ParseGuard guard(duplicates);
    nlohmann::json value = nlohmann::json::parse(
        text, [&guard](int depth, Event event, nlohmann::json &parsed) { return guard.accept(depth, event, parsed); },
        false);
    if (guard.tooDeep())
        return fail(ErrorCode::LimitExceeded, "the JSON is nested too deeply", file.string(), "check the file");
    if (!guard.repeatedKey().empty())
        return fail(ErrorCode::Malformed, "the key \"" + shortened(guard.repeatedKey()) + "\" occurs twice",
                    file.string(), "download the file again");
    if (value.is_discarded())
        return fail(ErrorCode::Malformed, bytes.empty() ? "the file is empty" : "this is not valid JSON", file.string(),
                    "download the file again");
    if (!value.is_object())
        return fail(ErrorCode::Malformed, "the JSON is not an object", file.string(), "check the file");
    restorePythonFloats(value);
    return value;
}

} // namespace lens
