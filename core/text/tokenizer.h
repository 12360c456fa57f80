// Text to token ids and back. Tokenizers are immutable after loading and safe to use from several threads.
#pragma once

#include "base/result.h"
#include "text/embeddedvocabulary.h"
#include "text/utf8.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

using TokenId = std::int32_t;

struct SpecialTokens {
    std::optional<TokenId> bos, eos, unknown, padding;
    std::vector<TokenId> endOfGeneration;  ///< eos and its like (<|im_end|>, <|eot_id|>); generation stops at any
};

struct EncodeOptions {
    bool addSpecial = true;     ///< bos (and eos) where the tokenizer's own configuration says so
    bool parseSpecial = false;  ///< recognise control tokens written in the text
};

/// A stretch of a prompt. Control tokens are recognised only inside stretches that the program itself wrote, so that
/// "<|im_end|>" typed by a user, or found in a document, stays ordinary text.
struct TextSegment {
    std::string text;
    bool isControl = false;

    bool operator==(const TextSegment &) const = default;
};

/// How the reference implementation of a kind of tokenizer turns ids into text, where kinds differ.
struct DecodeStyle {
    enum class LeadingSpace {
        Keep,
        DropOne,       ///< the first piece loses the space that the dummy prefix gave it
        DropFromEach,  ///< each piece does, until some text has come out
    };

    LeadingSpace leadingSpace = LeadingSpace::Keep;
    BrokenBytes brokenBytes = BrokenBytes::EachPart;
    bool specialEndsCharacter = false;  ///< a control token between two halves of a character breaks it
};

class Tokenizer {
public:
    virtual ~Tokenizer() = default;

    /// `text` is UTF-8; invalid bytes are encoded as the reference does (byte fallback or U+FFFD), never an error.
    virtual Result<std::vector<TokenId>> encode(std::string_view text, const EncodeOptions &options = {}) const = 0;

    /// Encodes the segments as one text (merges run across their borders, as in the reference), but recognises control
    /// tokens only where they lie inside one control segment. This is how chat prompts are to be encoded.
    virtual Result<std::vector<TokenId>> encodeSegments(std::span<const TextSegment> segments, bool addSpecial) const;

    /// Text of the whole sequence; broken UTF-8 becomes U+FFFD. Ids out of range become U+FFFD too.
    /// Equal to what a StreamDecoder gives for the same ids.
    virtual std::string decode(std::span<const TokenId> ids, bool skipSpecial = false) const;

    /// The bytes this id contributes in the middle of a text; may be part of a UTF-8 character. Control tokens give
    /// nothing when `skipSpecial`.
    virtual std::string bytes(TokenId id, bool skipSpecial) const = 0;

    /// The piece as the vocabulary spells it, for display ("▁fox", "Ġfox", "<0x0A>").
    virtual std::string piece(TokenId id) const = 0;

    virtual bool isSpecial(TokenId id) const = 0;
    virtual std::size_t size() const = 0;
    virtual const SpecialTokens &special() const = 0;
    virtual std::string_view kind() const = 0;          ///< "sentencepiece", "byte-level BPE", ...
    virtual std::string_view chatTemplate() const = 0;  ///< Jinja source that came along; empty when there is none
    virtual DecodeStyle decodeStyle() const { return {}; }
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

/// sentencepiece .model, tokenizer.json, or llama2.c tokenizer.bin, by content.
Result<TokenizerPtr> loadTokenizerFile(const std::filesystem::path &file);

/// The tokenizer of a Hugging Face style folder: tokenizer.json, else tokenizer.model, with tokenizer_config.json,
/// special_tokens_map.json, generation_config.json and chat_template.jinja where they are. ErrorCode::NotFound when
/// the folder has none.
Result<TokenizerPtr> loadTokenizerFolder(const std::filesystem::path &folder);

Result<TokenizerPtr> makeTokenizer(const EmbeddedVocabulary &vocabulary, const std::string &where);

/// Turns a stream of ids into text without ever emitting half a UTF-8 character.
class StreamDecoder {
public:
    explicit StreamDecoder(TokenizerPtr tokenizer, bool skipSpecial = true);

    /// Text that has become complete with `id`; empty while a character is unfinished.
    std::string push(TokenId id);

    /// What is left, an unfinished character as U+FFFD.
    std::string finish();

private:
    TokenizerPtr m_tokenizer;
    bool m_skipSpecial;
    bool m_atStart = true;
    DecodeStyle m_style;
    Utf8Stream m_text;
};

} // namespace lens
