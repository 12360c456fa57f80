#include "text/tokenizer.h"

namespace lens {

namespace {

constexpr std::string_view spaceSymbol = "\u2581";

// The text that `id` adds. Shared by decode() and StreamDecoder, which therefore agree.
std::string textOf(const Tokenizer &tokenizer, TokenId id, bool skipSpecial, bool &atStart, const DecodeStyle &style,
                   Utf8Stream &stream)
{
    if (id < 0 || static_cast<std::size_t>(id) >= tokenizer.size()) {
        atStart = false;
        return stream.finish() + "\uFFFD";
    }
    std::string out;
    if (style.specialEndsCharacter && tokenizer.isSpecial(id))
        out = stream.finish();
    std::string bytes = tokenizer.bytes(id, skipSpecial);
    if (atStart && !bytes.empty() && style.leadingSpace != DecodeStyle::LeadingSpace::Keep) {
        if (bytes.front() == ' ' && tokenizer.piece(id).starts_with(spaceSymbol))
            bytes.erase(0, 1);
        atStart = style.leadingSpace == DecodeStyle::LeadingSpace::DropFromEach && bytes.empty();
    }
    return out += stream.push(bytes);
}

} // namespace

Result<std::vector<TokenId>> Tokenizer::encodeSegments(std::span<const TextSegment> segments, bool addSpecial) const
{
    std::vector<TokenId> ids;
    for (const TextSegment &segment : segments) {
        auto part = encode(segment.text, {.addSpecial = addSpecial && ids.empty(), .parseSpecial = segment.isControl});
        if (!part)
            return propagate(part);
        ids.insert(ids.end(), part->begin(), part->end());
    }
    return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skipSpecial) const
{
    const DecodeStyle style = decodeStyle();
    Utf8Stream stream(style.brokenBytes);
    bool atStart = true;
    std::string text;
    for (const TokenId id : ids)
        text += textOf(*this, id, skipSpecial, atStart, style, stream);
    return text += stream.finish();
}

StreamDecoder::StreamDecoder(TokenizerPtr tokenizer, bool skipSpecial)
    : m_tokenizer(std::move(tokenizer)), m_skipSpecial(skipSpecial), m_style(m_tokenizer->decodeStyle()),
      m_text(m_style.brokenBytes)
{
}

std::string StreamDecoder::push(TokenId id)
{
    return textOf(*m_tokenizer, id, m_skipSpecial, m_atStart, m_style, m_text);
}

std::string StreamDecoder::finish()
{
    m_atStart = true;
    return m_text.finish();
}

} // namespace lens
