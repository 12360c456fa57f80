#include "worldtokenizer.h"

#include <cstdio>

namespace lens::rwkv {

namespace {

constexpr TokenId kEndOfText = 0;
constexpr const char *kEndOfTextName = "<|endoftext|>";

std::string hexadecimal(char byte)
{
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned char>(byte));
    return text;
}

TokenTable tableOf(WorldVocabulary vocabulary)
{
    TokenTable table;
    if (vocabulary[kEndOfText].empty())
        vocabulary[kEndOfText] = kEndOfTextName;
    table.isSpecial.assign(vocabulary.size(), false);
    table.isSpecial[kEndOfText] = true;
    table.pieces = std::move(vocabulary);
    table.special.eos = kEndOfText;
    table.special.endOfGeneration = {kEndOfText};
    return table;
}

} // namespace

WorldTokenizer::WorldTokenizer(WorldVocabulary vocabulary)
    : BasicTokenizer(tableOf(std::move(vocabulary))),
      m_matcher({{.content = kEndOfTextName, .id = kEndOfText, .control = true}}, SpecialMatcher::Order::LeftmostLongest)
{
    std::vector<ByteTrie::Entry> entries;
    for (TokenId id = kEndOfText + 1; inRange(id); ++id)
        if (!pieceAt(id).empty())
            entries.emplace_back(pieceAt(id), id);
    m_trie = ByteTrie(std::move(entries));
}

std::string WorldTokenizer::bytes(TokenId id, bool skipSpecial) const
{
    return !inRange(id) || (skipSpecial && isSpecial(id)) ? std::string() : pieceAt(id);
}

std::string WorldTokenizer::piece(TokenId id) const
{
    const std::string whole = BasicTokenizer::piece(id);
    if (isValidUtf8(whole))
        return whole;
    std::string spelled;
    for (const char byte : whole)
        spelled += hexadecimal(byte);
    return spelled;
}

Result<void> WorldTokenizer::encodeBody(std::string_view text, std::span<const ByteRange> control,
                                        std::vector<TokenId> &ids) const
{
    for (const Fragment &fragment : m_matcher.split(text, control)) {
        if (fragment.token) {
            ids.push_back(fragment.token->id);
            continue;
        }
        const auto [begin, end] = fragment.range;
        if (auto done = encodePlain(text.substr(begin, end - begin), ids); !done)
            return done;
    }
    return {};
}

Result<void> WorldTokenizer::encodePlain(std::string_view text, std::vector<TokenId> &ids) const
{
    for (std::size_t at = 0; at < text.size();) {
        const auto match = m_trie.longestAt(text, at);
        if (!match)
            return fail(ErrorCode::InvalidArgument, "the vocabulary has no token for the byte " + hexadecimal(text[at]),
                        "byte " + std::to_string(at) + " of the text", "use the complete vocabulary of the model");
        ids.push_back(match->value);
        at += match->length;
    }
    return {};
}

} // namespace lens::rwkv
