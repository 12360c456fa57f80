#include "text/utf8.h"

namespace lens {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

struct Lead {
    std::size_t length;
    unsigned low, high;  // what the second byte may be; excludes overlong forms, surrogates, above U+10FFFF
};

Lead leadOf(unsigned char byte)
{
    if (byte < 0x80)
        return {1, 0, 0};
    if (byte >= 0xC2 && byte <= 0xDF)
        return {2, 0x80, 0xBF};
    if (byte >= 0xE0 && byte <= 0xEF)
        return {3, byte == 0xE0 ? 0xA0u : 0x80u, byte == 0xED ? 0x9Fu : 0xBFu};
    if (byte >= 0xF0 && byte <= 0xF4)
        return {4, byte == 0xF0 ? 0x90u : 0x80u, byte == 0xF4 ? 0x8Fu : 0xBFu};
    return {0, 0, 0};
}

} // namespace

Utf8Char utf8At(std::string_view text, std::size_t at)
{
    const auto first = static_cast<unsigned char>(text[at]);
    const Lead lead = leadOf(first);
    if (lead.length == 0)
        return {};
    if (lead.length == 1)
        return {first, 1, Utf8Char::Status::Valid};
    char32_t codePoint = first & (0x7Fu >> lead.length);
    for (std::size_t i = 1; i < lead.length; ++i) {
        if (at + i == text.size())
            return {U'\uFFFD', i, Utf8Char::Status::Unfinished};
        const auto byte = static_cast<unsigned char>(text[at + i]);
        if (byte < (i == 1 ? lead.low : 0x80) || byte > (i == 1 ? lead.high : 0xBF))
            return {U'\uFFFD', i, Utf8Char::Status::Broken};
        codePoint = (codePoint << 6) | (byte & 0x3Fu);
    }
    return {codePoint, lead.length, Utf8Char::Status::Valid};
}

void appendUtf8(std::string &text, char32_t codePoint)
{
    const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (codePoint < 0x80) {
        put(codePoint);
    } else if (codePoint < 0x800) {
        put(0xC0 | (codePoint >> 6));
        put(0x80 | (codePoint & 0x3F));
    } else if (codePoint < 0x10000) {
        put(0xE0 | (codePoint >> 12));
        put(0x80 | ((codePoint >> 6) & 0x3F));
        put(0x80 | (codePoint & 0x3F));
    } else {
        put(0xF0 | (codePoint >> 18));
        put(0x80 | ((codePoint >> 12) & 0x3F));
        put(0x80 | ((codePoint >> 6) & 0x3F));
        put(0x80 | (codePoint & 0x3F));
    }
}

bool isValidUtf8(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char character = utf8At(text, at);
        if (character.status != Utf8Char::Status::Valid)
            return false;
        at += character.length;
    }
    return true;
}

std::string repairedUtf8(std::string_view text, BrokenBytes rule)
{
    Utf8Stream stream(rule);
    std::string result = stream.push(text);
    return result += stream.finish();
}

std::string Utf8Stream::push(std::string_view bytes)
{
    m_pending += bytes;
    std::string out;
    std::size_t at = 0;
    while (at < m_pending.size()) {
        const Utf8Char character = utf8At(m_pending, at);
        if (character.status == Utf8Char::Status::Unfinished)
            break;
        if (character.status == Utf8Char::Status::Valid) {
            out.append(m_pending, at, character.length);
            at += character.length;
        } else {
            out += replacement;
            at += m_rule == BrokenBytes::EachByte ? 1 : character.length;
        }
    }
    m_pending.erase(0, at);
    return out;
}

std::string Utf8Stream::finish()
{
    std::string out;
    const std::size_t count = m_rule == BrokenBytes::EachByte ? m_pending.size() : (m_pending.empty() ? 0 : 1);
    for (std::size_t i = 0; i < count; ++i)
        out += replacement;
    m_pending.clear();
    return out;
}

} // namespace lens
