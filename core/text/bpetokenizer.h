// Tokenizers with ranked merges: tokenizer.json, and the "gpt2" kind of GGUF.
#pragma once

#include "text/basictokenizer.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"

namespace lens {

struct BpeParts {
    enum class Spelling {
        ByteAlphabet,  ///< pieces spell bytes
        SpaceSymbol,   ///< pieces are text with U+2581 for a space, and <0xXX> for bytes
    };

    Bpe bpe;
    Normalizer normalizer;
    PreTokenizer preTokenizer;
    SpecialMatcher beforeNormalizing, afterNormalizing;
    Spelling spelling = Spelling::ByteAlphabet;
    std::vector<bool> isVerbatim;  ///< pieces written as they are in spite of the byte alphabet; may be empty
    BrokenBytes repair = BrokenBytes::EachPart;
    DecodeStyle style;
};

class BpeTokenizer : public BasicTokenizer {
public:
    BpeTokenizer(TokenTable table, BpeParts parts) : BasicTokenizer(std::move(table)), m_parts(std::move(parts)) {}

    std::string bytes(TokenId id, bool skipSpecial) const override;
    std::string_view kind() const override;
    DecodeStyle decodeStyle() const override { return m_parts.style; }

protected:
    Result<void> encodeBody(std::string_view text, std::span<const ByteRange> control,
                            std::vector<TokenId> &ids) const override;

private:
    struct WordCache;

    Result<void> encodeFragment(std::string_view text, std::span<const ByteRange> control, bool isStart,
                                WordCache &cache, std::vector<TokenId> &ids) const;

    BpeParts m_parts;
};

} // namespace lens
