// The tokenizer of the RWKV "World" models: from the left, the longest token that fits, on bytes.
#pragma once

#include "bytetrie.h"
#include "text/basictokenizer.h"
#include "worldvocabulary.h"

namespace lens::rwkv {

/// Text that begins with no token of the vocabulary cannot be encoded (ErrorCode::InvalidArgument); the real one has
/// all 256 bytes. Id 0 ends a text and is recognised in control segments as <|endoftext|>.
class WorldTokenizer final : public BasicTokenizer {
public:
    explicit WorldTokenizer(WorldVocabulary vocabulary);

    std::string bytes(TokenId id, bool skipSpecial) const override;
    std::string piece(TokenId id) const override;
    std::string_view kind() const override { return "RWKV World"; }

protected:
    Result<void> encodeBody(std::string_view text, std::span<const ByteRange> control,
                            std::vector<TokenId> &ids) const override;

private:
    Result<void> encodePlain(std::string_view text, std::vector<TokenId> &ids) const;

    SpecialMatcher m_matcher;
    ByteTrie m_trie;
};

} // namespace lens::rwkv
