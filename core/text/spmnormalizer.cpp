#include "text/spmnormalizer.h"

#include "text/charactermapunit.h"
#include "text/utf8.h"

#include <algorithm>

namespace lens {

SpmNormalizer::SpmNormalizer(const SentencePieceModel &model)
    : m_dummyPrefix(model.addDummyPrefix), m_removeExtraSpaces(model.removeExtraSpaces),
      m_suffixSpace(model.whiteSpaceIsSuffix), m_space(model.escapeSpaces ? "\u2581" : " ")
{
    if (!model.characterMap.empty()) {
        const CharacterMapView map(model.characterMap);
        m_trie = map.units();
        m_replacements = map.replacements();
    }
    for (const auto &piece : model.pieces) {
        if (piece.type == SentencePieceModel::Type::UserDefined)
            m_userDefined.push_back(piece.text);
    }
    std::sort(m_userDefined.begin(), m_userDefined.end());
}

// The length of the longest user-defined piece at the beginning of `text`; these are left as they are.
std::size_t SpmNormalizer::userDefinedAt(std::string_view text) const
{
    std::size_t longest = 0;
    auto first = m_userDefined.begin(), last = m_userDefined.end();
    for (std::size_t i = 0; i < text.size() && first != last; ++i) {
        const auto byteAt = [i](const std::string &piece) {
            return i < piece.size() ? static_cast<unsigned char>(piece[i]) : -1;
        };
        const int byte = static_cast<unsigned char>(text[i]);
        first = std::partition_point(first, last, [&](const std::string &piece) { return byteAt(piece) < byte; });
        last = std::partition_point(first, last, [&](const std::string &piece) { return byteAt(piece) <= byte; });
        if (first != last && first->size() == i + 1)
            longest = i + 1;
    }
    return longest;
}

SpmNormalizer::Step SpmNormalizer::next(std::string_view text) const
{
    if (const std::size_t length = userDefinedAt(text))
        return {text.substr(0, length), length};
    Step longest{{}, 0};
    if (!m_trie.empty()) {
        std::size_t node = CharacterMapUnit{m_trie[0]}.offset();
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto byte = static_cast<unsigned char>(text[i]);
            node ^= byte;
            const CharacterMapUnit unit{m_trie[node]};
            if (unit.label() != byte)
                break;
            node ^= unit.offset();
            if (unit.hasLeaf()) {
                const char *replacement = m_replacements.c_str() + CharacterMapUnit{m_trie[node]}.value();
                longest = {replacement, i + 1};
            }
        }
    }
    if (longest.consumed > 0)
        return longest;
    const Utf8Char character = utf8At(text, 0);
    if (character.status != Utf8Char::Status::Valid)
        return {"\uFFFD", 1};
    return {text.substr(0, character.length), character.length};
}

std::string SpmNormalizer::apply(std::string_view text) const
{
    if (m_removeExtraSpaces) {
        while (!text.empty()) {
            const Step step = next(text);
            if (step.output != " ")
                break;
            text.remove_prefix(step.consumed);
        }
    }
    if (text.empty())
        return {};
    std::string result;
    if (m_dummyPrefix && !m_suffixSpace)
        result += m_space;
    bool afterSpace = m_removeExtraSpaces;
    while (!text.empty()) {
        const Step step = next(text);
        std::string_view output = step.output;
        while (afterSpace && output.starts_with(' '))
            output.remove_prefix(1);
        for (const char c : output) {
            if (c == ' ')
                result += m_space;
            else
                result += c;
        }
        if (!output.empty())
            afterSpace = m_removeExtraSpaces && output.ends_with(' ');
        text.remove_prefix(step.consumed);
    }
    if (m_removeExtraSpaces) {
        while (result.ends_with(m_space))
            result.erase(result.size() - m_space.size());
    }
    if (m_dummyPrefix && m_suffixSpace)
        result += m_space;
    return result;
}

} // namespace lens
