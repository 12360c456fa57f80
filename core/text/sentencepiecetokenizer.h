// sentencepiece models, encoded by the sentencepiece library.
#pragma once

#include "text/basictokenizer.h"
#include "text/sentencepiecemodel.h"
#include "text/spmnormalizer.h"
#include "text/tokenizerextras.h"
#include "text/unigram.h"

#include <memory>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace lens {

/// `file` is the content of a .model file. Without configuration (`extras`), bos is added and eos is not, where the
/// model has them, which is what the Llama family does.
Result<TokenizerPtr> makeSentencePieceTokenizer(std::string_view file, const TokenizerExtras &extras,
                                                const std::string &where);

class SentencePieceTokenizer : public BasicTokenizer {
public:
    using ProcessorPtr = std::unique_ptr<sentencepiece::SentencePieceProcessor>;

    /// Ids beyond `model`'s pieces are added tokens, spelled as in `table`.
    SentencePieceTokenizer(TokenTable table, SentencePieceModel model, SpecialMatcher matcher, ProcessorPtr processor);
    ~SentencePieceTokenizer() override;

    std::string bytes(TokenId id, bool skipSpecial) const override;
    std::string_view kind() const override;
    DecodeStyle decodeStyle() const override;

protected:
    Result<void> encodeBody(std::string_view text, std::span<const ByteRange> control,
                            std::vector<TokenId> &ids) const override;

private:
    std::string withoutUnknownRuns(const std::string &text) const;
    Result<void> encodeFragment(std::string_view text, std::vector<TokenId> &ids) const;

    SentencePieceModel m_model;
    SpecialMatcher m_matcher;
    ProcessorPtr m_processor;
    SpmNormalizer m_normalizer;
    std::optional<Unigram> m_unigram;
    std::vector<bool> m_known;  // by code point; empty where it does not matter
};

} // namespace lens
