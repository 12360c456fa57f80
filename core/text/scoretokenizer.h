// Tokenizers that merge by score as sentencepiece's BPE does, over a vocabulary that need not be a valid sentencepiece
// model: the "llama" kind of GGUF, and llama2.c. Control tokens, fragments and prefixes follow llama.cpp.
#pragma once

#include "text/basictokenizer.h"
#include "text/bpe.h"

#include <array>

namespace lens {

struct ScoreParts {
    enum class Type { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

    std::vector<float> scores;  ///< one per piece, no NaN
    std::vector<Type> types;    ///< one per piece
    SpecialMatcher matcher;
    bool addSpacePrefix = true;
};

class ScoreTokenizer : public BasicTokenizer {
public:
    ScoreTokenizer(TokenTable table, ScoreParts parts);

    std::string bytes(TokenId id, bool skipSpecial) const override;
    std::string_view kind() const override { return "sentencepiece"; }
    DecodeStyle decodeStyle() const override;

protected:
    Result<void> encodeBody(std::string_view text, std::span<const ByteRange> control,
                            std::vector<TokenId> &ids) const override;

private:
    struct Symbol;

    void merge(std::string_view text, std::vector<TokenId> &ids) const;
    void appendLeftover(std::string_view character, std::vector<TokenId> &ids) const;
    std::optional<TokenId> find(std::string_view piece) const;

    ScoreParts m_parts;
    PieceIds m_mergeable;
    std::array<TokenId, 256> m_byteIds{};
    std::size_t m_longestPiece = 0;
};

} // namespace lens
