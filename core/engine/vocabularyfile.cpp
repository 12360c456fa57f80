#include "engine/vocabularyfile.h"

#include "checkpoint/jsonfile.h"
#include "checkpoint/writer.h"
#include "text/utf8.h"

#include <nlohmann/json.hpp>

namespace lens {

namespace {

using nlohmann::json;

constexpr const char *formatName = "supralens-vocabulary";
constexpr const char *sentencePiece = "sentencepiece";
constexpr const char *byteLevel = "byte-level-bpe";

/// Pieces of llama2.c are bytes, not text: those become {"bytes": [..]}.
json pieceToJson(const std::string &piece)
{
    if (isValidUtf8(piece))
        return piece;
    json bytes = json::array();
    for (const char c : piece)
        bytes.push_back(static_cast<unsigned char>(c));
    return {{"bytes", bytes}};
}

std::optional<std::string> pieceFromJson(const json &value)
{
    if (value.is_string())
        return value.get<std::string>();
    const auto bytes = value.is_object() ? value.find("bytes") : value.end();
    if (!value.is_object() || bytes == value.end() || !bytes->is_array())
        return std::nullopt;
    std::string piece;
    for (const json &byte : *bytes) {
        if (!byte.is_number_integer() || byte.get<std::int64_t>() < 0 || byte.get<std::int64_t>() > 255)
            return std::nullopt;
        piece += static_cast<char>(byte.get<std::int64_t>());
    }
    return piece;
}

json idToJson(const std::optional<std::int32_t> &id)
{
    return id ? json(*id) : json();
}

/// Reads fields one after the other and remembers the first that is wrong.
class Fields {
public:
    explicit Fields(const json &object) : m_object(object) {}

    template <class Value>
    void list(const char *key, std::vector<Value> &into, bool (json::*fits)() const noexcept)
    {
        for (const json &value : array(key)) {
            if (!(value.*fits)()) {
                m_wrong = key;
                return;
            }
            into.push_back(value.get<Value>());
        }
    }

    void pieces(const char *key, std::vector<std::string> &into)
    {
        for (const json &value : array(key)) {
            auto piece = pieceFromJson(value);
            if (!piece) {
                m_wrong = key;
                return;
            }
            into.push_back(std::move(*piece));
        }
    }

    void id(const char *key, std::optional<std::int32_t> &into)
    {
        const json &value = field(key);
        if (value.is_number_integer())
            into = value.get<std::int32_t>();
        else if (!value.is_null())
            m_wrong = key;
    }

    void flag(const char *key, bool &into)
    {
        const json &value = field(key);
        if (value.is_boolean())
            into = value.get<bool>();
        else
            m_wrong = key;
    }

    void text(const char *key, std::string &into)
    {
        const json &value = field(key);
        if (value.is_string())
            into = value.get<std::string>();
        else
            m_wrong = key;
    }

    const std::string &wrong() const { return m_wrong; }

private:
    const json &field(const char *key)
    {
        static const json nothing;
        const auto found = m_object.find(key);
        return found == m_object.end() ? nothing : *found;
    }

    const json &array(const char *key)
    {
        static const json nothing = json::array();
        const json &value = field(key);
        if (!value.is_array())
            m_wrong = key;
        return value.is_array() ? value : nothing;
    }

    const json &m_object;
    std::string m_wrong;
};

} // namespace

Result<void> writeVocabulary(const std::filesystem::path &file, const EmbeddedVocabulary &vocabulary)
{
    json tokens = json::array();
    for (const std::string &token : vocabulary.tokens)
        tokens.push_back(pieceToJson(token));
    json merges = json::array();
    for (const std::string &merge : vocabulary.merges)
        merges.push_back(pieceToJson(merge));
    const json document = {
        {"format", formatName},
        {"version", 1},
        {"kind", vocabulary.kind == EmbeddedVocabulary::Kind::SentencePiece ? sentencePiece : byteLevel},
        {"tokens", std::move(tokens)},
        {"scores", vocabulary.scores},
        {"types", vocabulary.types},
        {"merges", std::move(merges)},
        {"pre_tokenizer", vocabulary.preTokenizer},
        {"bos", idToJson(vocabulary.bos)},
        {"eos", idToJson(vocabulary.eos)},
        {"unknown", idToJson(vocabulary.unknown)},
        {"padding", idToJson(vocabulary.padding)},
        {"add_bos", vocabulary.addBos},
        {"add_eos", vocabulary.addEos},
        {"add_space_prefix", vocabulary.addSpacePrefix},
        {"chat_template", vocabulary.chatTemplate},
    };
    // Broken UTF-8 outside the pieces cannot be told from damage, so it is replaced.
    return writeFileAtomically(file, document.dump(0, ' ', false, json::error_handler_t::replace));
}

Result<EmbeddedVocabulary> readVocabulary(const std::filesystem::path &file)
{
    const auto document = readJsonObject(file);
    if (!document)
        return propagate(document);
    Fields fields(*document);
    std::string format, kind;
    EmbeddedVocabulary vocabulary;
    fields.text("format", format);
    fields.text("kind", kind);
    fields.pieces("tokens", vocabulary.tokens);
    fields.list("scores", vocabulary.scores, &json::is_number);
    fields.list("types", vocabulary.types, &json::is_number_integer);
    fields.pieces("merges", vocabulary.merges);
    fields.text("pre_tokenizer", vocabulary.preTokenizer);
    fields.id("bos", vocabulary.bos);
    fields.id("eos", vocabulary.eos);
    fields.id("unknown", vocabulary.unknown);
    fields.id("padding", vocabulary.padding);
    fields.flag("add_bos", vocabulary.addBos);
    fields.flag("add_eos", vocabulary.addEos);
    fields.flag("add_space_prefix", vocabulary.addSpacePrefix);
    fields.text("chat_template", vocabulary.chatTemplate);
    if (format != formatName || (kind != sentencePiece && kind != byteLevel))
        return fail(ErrorCode::Malformed, "this is not a vocabulary that this program wrote", file.string(),
                    "save the model again");
    if (!fields.wrong().empty())
        return fail(ErrorCode::Malformed, "the field \"" + fields.wrong() + "\" is missing or of the wrong kind",
                    file.string(), "save the model again");
    vocabulary.kind = kind == sentencePiece ? EmbeddedVocabulary::Kind::SentencePiece : EmbeddedVocabulary::Kind::ByteLevelBpe;
    return vocabulary;
}

} // namespace lens
