#include "text/basictokenizer.h"

#include <algorithm>
#include <array>
#include <new>

namespace lens {

Result<std::vector<TokenId>> BasicTokenizer::encode(std::string_view text, const EncodeOptions &options) const
{
    const ByteRange everything{0, text.size()};
    return encodeWhole(text, {&everything, options.parseSpecial ? 1u : 0u}, options.addSpecial);
}

Result<std::vector<TokenId>> BasicTokenizer::encodeSegments(std::span<const TextSegment> segments,
                                                            bool addSpecial) const
{
    std::string text;
    for (const TextSegment &segment : segments)
        text += segment.text;
    return encodeWhole(text, controlRanges(segments), addSpecial);
}

Result<std::vector<TokenId>> BasicTokenizer::encodeWhole(std::string_view text, std::span<const ByteRange> control,
                                                         bool addSpecial) const
try {
    std::vector<TokenId> ids;
    if (addSpecial)
        ids = m_table.prefix;
    if (!text.empty()) {
        if (auto done = encodeBody(text, control, ids); !done)
            return propagate(done);
    }
    if (addSpecial)
        ids.insert(ids.end(), m_table.suffix.begin(), m_table.suffix.end());
    return ids;
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory to encode " + std::to_string(text.size()) + " bytes of text",
                {}, "shorten the text");
}

std::string BasicTokenizer::piece(TokenId id) const
{
    return inRange(id) ? pieceAt(id) : std::string();
}

bool BasicTokenizer::isSpecial(TokenId id) const
{
    return inRange(id) && m_table.isSpecial[static_cast<std::size_t>(id)];
}

void collectEndOfGeneration(TokenTable &table, std::span<const TokenId> more)
{
    constexpr std::array<std::string_view, 8> wellKnown{"<|im_end|>",    "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>",
                                                        "<|endoftext|>", "</s>",       "<end_of_turn>", "<|end|>"};
    std::vector<TokenId> &ends = table.special.endOfGeneration;
    const auto add = [&](TokenId id) {
        const bool exists = id >= 0 && static_cast<std::size_t>(id) < table.pieces.size();
        if (exists && std::find(ends.begin(), ends.end(), id) == ends.end())
            ends.push_back(id);
    };
    if (table.special.eos)
        add(*table.special.eos);
    for (const TokenId id : more)
        add(id);
    for (std::size_t i = 0; i < table.pieces.size(); ++i) {
        if (table.isSpecial[i] && std::find(wellKnown.begin(), wellKnown.end(), table.pieces[i]) != wellKnown.end())
            add(static_cast<TokenId>(i));
    }
}

std::string withSpaces(std::string_view piece)
{
    constexpr std::string_view symbol = "\u2581";
    std::string result;
    std::size_t done = 0;
    for (std::size_t at = 0; (at = piece.find(symbol, done)) != std::string_view::npos; done = at + symbol.size())
        result.append(piece.substr(done, at - done)) += ' ';
    return result.append(piece.substr(done));
}

} // namespace lens
