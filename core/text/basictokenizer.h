// What all tokenizers here share: the table of pieces, special tokens, and cutting the text at them.
#pragma once

#include "text/specialmatcher.h"
#include "text/tokenizer.h"

namespace lens {

struct TokenTable {
    std::vector<std::string> pieces;
    std::vector<bool> isSpecial;      ///< one per piece
    SpecialTokens special;
    std::vector<TokenId> prefix, suffix;  ///< put around a text with addSpecial
    std::string chatTemplate;
};

class BasicTokenizer : public Tokenizer {
public:
    explicit BasicTokenizer(TokenTable table) : m_table(std::move(table)) {}

    Result<std::vector<TokenId>> encode(std::string_view text, const EncodeOptions &options) const override;
    Result<std::vector<TokenId>> encodeSegments(std::span<const TextSegment> segments, bool addSpecial) const override;
    std::string piece(TokenId id) const override;
    bool isSpecial(TokenId id) const override;
    std::size_t size() const override { return m_table.pieces.size(); }
    const SpecialTokens &special() const override { return m_table.special; }
    std::string_view chatTemplate() const override { return m_table.chatTemplate; }

protected:
    bool inRange(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < m_table.pieces.size(); }
    const std::string &pieceAt(TokenId id) const { return m_table.pieces[static_cast<std::size_t>(id)]; }

    /// Appends the ids of `text`; control tokens are recognised inside `control` only.
    virtual Result<void> encodeBody(std::string_view text, std::span<const ByteRange> control,
                                    std::vector<TokenId> &ids) const = 0;

private:
    Result<std::vector<TokenId>> encodeWhole(std::string_view text, std::span<const ByteRange> control,
                                             bool addSpecial) const;

    TokenTable m_table;
};

/// Fills special.endOfGeneration: eos, `more` (ids out of range left out), then the well-known ends of a turn that are
/// special tokens of this table.
void collectEndOfGeneration(TokenTable &table, std::span<const TokenId> more);

/// "▁fox" to " fox".
std::string withSpaces(std::string_view piece);

} // namespace lens
