#include "pythonliteral.h"

#include "text/utf8.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace lens::rwkv {

namespace {

int digitOf(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

std::optional<char> simpleEscape(char c)
{
    constexpr std::string_view letters = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
    const std::size_t at = letters.find(c);
    return at == letters.npos ? std::nullopt : std::optional(meanings[at]);
}

class LiteralReader {
public:
    LiteralReader(std::string_view content, bool isBytes) : m_content(content), m_isBytes(isBytes) {}

    Result<std::string> read();

private:
    /// What follows a backslash, which has been read.
    Result<void> readEscape();

    /// Up to `most` digits of `base` from m_at on.
    std::uint32_t readDigits(unsigned base, std::size_t most, std::size_t &count);

    Result<void> append(std::uint32_t value, std::uint32_t mostInBytes);

    std::string_view m_content;
    bool m_isBytes;
    std::size_t m_at = 0;
    std::string m_text;
};

Result<std::string> LiteralReader::read()
{
    while (m_at < m_content.size()) {
        const char c = m_content[m_at++];
        if (c != '\\') {
            m_text += c;
        } else if (auto escape = readEscape(); !escape) {
            return propagate(escape);
        }
    }
    return std::move(m_text);
}

Result<void> LiteralReader::readEscape()
{
    const char kind = m_content[m_at++];
    if (const auto simple = simpleEscape(kind)) {
        m_text += *simple;
        return {};
    }
    std::size_t count = 0;
    if (kind >= '0' && kind <= '7') {
        --m_at;
        return append(readDigits(8, 3, count), 0xFF);
    }
    const bool isUnicode = !m_isBytes && (kind == 'u' || kind == 'U');
    if (kind == 'x' || isUnicode) {
        const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
        const std::uint32_t value = readDigits(16, digits, count);
        if (count != digits)
            return fail(ErrorCode::Malformed, "an escape with \\" + std::string(1, kind) + " has too few digits");
        return append(value, 0xFF);
    }
    if (kind == 'N' && !m_isBytes)
        return fail(ErrorCode::Malformed, "characters by name (\\N) are not read");
    (m_text += '\\') += kind;  // Python leaves an escape that it does not know as it is
    return {};
}

std::uint32_t LiteralReader::readDigits(unsigned base, std::size_t most, std::size_t &count)
{
    std::uint32_t value = 0;
    for (count = 0; count < most && m_at < m_content.size(); ++count, ++m_at) {
        const auto digit = static_cast<unsigned>(digitOf(m_content[m_at]));
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    return value;
}

Result<void> LiteralReader::append(std::uint32_t value, std::uint32_t mostInBytes)
{
    if (m_isBytes) {
        if (value > mostInBytes)
            return fail(ErrorCode::Malformed, "an escape stands for more than one byte");
        m_text += static_cast<char>(value);
        return {};
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return fail(ErrorCode::Malformed, "an escape stands for no character");
    appendUtf8(m_text, static_cast<char32_t>(value));
    return {};
}

/// Whether the quote that opened `content` does not occur in it, and its last backslash has something to escape.
bool isClosedProperly(std::string_view content, char quote)
{
    for (std::size_t at = 0; at < content.size(); ++at) {
        if (content[at] == quote)
            return false;
        if (content[at] == '\\' && ++at == content.size())
            return false;
    }
    return true;
}

} // namespace

Result<std::string> readPythonLiteral(std::string_view literal)
{
    const bool isBytes = literal.starts_with('b') || literal.starts_with('B');
    literal.remove_prefix(isBytes ? 1 : 0);
    if (literal.size() < 2 || (literal.front() != '\'' && literal.front() != '"') || literal.back() != literal.front())
        return fail(ErrorCode::Malformed, "this is not a Python string or bytes literal");
    const std::string_view content = literal.substr(1, literal.size() - 2);
    if (!isClosedProperly(content, literal.front()))
        return fail(ErrorCode::Malformed, "the literal ends before its last quote, or not at all");
    if (isBytes && !std::ranges::all_of(content, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
        return fail(ErrorCode::Malformed, "a bytes literal holds a character that is not ASCII");
    if (!isBytes && !isValidUtf8(content))
        return fail(ErrorCode::Malformed, "the literal is not valid UTF-8");
    return LiteralReader(content, isBytes).read();
}

} // namespace lens::rwkv
