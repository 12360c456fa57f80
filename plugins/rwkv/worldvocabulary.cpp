#include "worldvocabulary.h"

#include "pythonliteral.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <unordered_set>

namespace lens::rwkv {

namespace {

constexpr std::uint64_t kLargestFile = 16u << 20;
constexpr std::size_t kLongestToken = 1024;  ///< bytes; encoding a text costs at most this much for each of its bytes
constexpr std::size_t kMostGaps = 65536;     ///< ids without a line
constexpr const char *kAdvice = "get the vocabulary of the RWKV World models again";

std::optional<std::size_t> numberIn(std::string_view text)
{
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

class VocabularyReader {
public:
    VocabularyReader(std::string_view content, const std::string &where)
        : m_where(where), m_lines(static_cast<std::size_t>(std::ranges::count(content, '\n')) + 1), m_seen(1, false)
    {
    }

    Result<void> add(std::string_view line, std::size_t number);
    WorldVocabulary take() { return std::move(m_tokens); }

private:
    tl::unexpected<Error> refuse(ErrorCode code, std::string what, std::size_t number) const
    {
        return fail(code, std::move(what), m_where + ", line " + std::to_string(number), kAdvice);
    }

    std::string m_where;
    std::size_t m_lines;
    WorldVocabulary m_tokens{std::string()};
    std::vector<bool> m_seen;
    std::unordered_set<std::string> m_different;
};

Result<void> VocabularyReader::add(std::string_view line, std::size_t number)
{
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    const auto id = numberIn(line.substr(0, first));
    const auto length = last == line.npos ? std::nullopt : numberIn(line.substr(last + 1));
    if (!id || !length || first >= last)
        return refuse(ErrorCode::Malformed, "the line is not an id, a literal and its length", number);
    if (*id >= m_lines + kMostGaps)
        return refuse(ErrorCode::LimitExceeded, "the id " + std::to_string(*id) + " is far beyond the number of tokens", number);
    auto token = readPythonLiteral(line.substr(first + 1, last - first - 1));
    if (!token)
        return refuse(token.error().code, token.error().what, number);
    if (token->size() != *length || token->empty())
        return refuse(ErrorCode::Malformed, "the token has " + std::to_string(token->size()) + " bytes where the line says "
                      + std::to_string(*length), number);
    if (token->size() > kLongestToken)
        return refuse(ErrorCode::LimitExceeded, "the token has more than " + std::to_string(kLongestToken) + " bytes", number);
    if (*id >= m_tokens.size()) {
        m_tokens.resize(*id + 1);
        m_seen.resize(*id + 1, false);
    }
    if (m_seen[*id])
        return refuse(ErrorCode::Malformed, "the id " + std::to_string(*id) + " occurs twice", number);
    if (!m_different.insert(*token).second)
        return refuse(ErrorCode::Malformed, "the token of id " + std::to_string(*id) + " has another id already", number);
    m_seen[*id] = true;
    m_tokens[*id] = std::move(*token);
    return {};
}

} // namespace

Result<WorldVocabulary> readWorldVocabulary(std::string_view content, const std::string &where)
{
    VocabularyReader reader(content, where);
    std::size_t number = 0;
    while (!content.empty()) {
        const std::size_t end = content.find('\n');
        std::string_view line = content.substr(0, end);
        content.remove_prefix(end == content.npos ? content.size() : end + 1);
        ++number;
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (line.empty())
            continue;
        if (auto added = reader.add(line, number); !added)
            return propagate(added);
    }
    WorldVocabulary tokens = reader.take();
    if (tokens.size() < 2)
        return fail(ErrorCode::Malformed, "the vocabulary has no tokens", where, kAdvice);
    return tokens;
}

Result<WorldVocabulary> readWorldVocabularyFile(const std::filesystem::path &file)
{
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    if (error)
        return fail(ErrorCode::Io, "the vocabulary cannot be read: " + error.message(), file.string());
    if (size > kLargestFile)
        return fail(ErrorCode::LimitExceeded, "the vocabulary has " + std::to_string(size) + " bytes", file.string(), kAdvice);
    std::string content(static_cast<std::size_t>(size), '\0');
    std::ifstream stream(file, std::ios::binary);
    if (!stream.read(content.data(), static_cast<std::streamsize>(content.size())))
        return fail(ErrorCode::Io, "the vocabulary cannot be read", file.string());
    return readWorldVocabulary(content, file.string());
}

} // namespace lens::rwkv
