#include "checkpoint/ggufvocabulary.h"

#include <cmath>
#include <limits>

namespace lens {

namespace {

const std::string kPrefix = "tokenizer.ggml.";
constexpr const char *kAdvice = "download the file again";

class VocabularyReader {
public:
    VocabularyReader(const GgufMetadata &metadata, const std::string &file) : m_metadata(metadata), m_file(file) {}

    Result<EmbeddedVocabulary> read(EmbeddedVocabulary::Kind kind);

private:
    const GgufArray *array(const char *key) const { return m_metadata.array(kPrefix + key); }
    bool flag(const char *key, bool missing) const { return m_metadata.flag(kPrefix + key).value_or(missing); }
    tl::unexpected<Error> malformed(const std::string &key, const std::string &what) const;
    Result<std::vector<std::string>> texts(const char *key) const;
    template <class T>
    Result<std::vector<T>> numbers(const char *key, GgufType type, std::size_t count) const;
    Result<std::optional<std::int32_t>> id(const char *key, std::optional<std::int32_t> missing) const;
    Result<void> readLists();
    Result<void> readIds();

    const GgufMetadata &m_metadata;
    const std::string &m_file;
    EmbeddedVocabulary m_vocabulary;
};

tl::unexpected<Error> VocabularyReader::malformed(const std::string &key, const std::string &what) const
{
    return fail(ErrorCode::Malformed, what, m_file + ", " + kPrefix + key, kAdvice);
}

Result<std::vector<std::string>> VocabularyReader::texts(const char *key) const
{
    const GgufArray *list = array(key);
    std::vector<std::string> result;
    if (!list)
        return result;
    if (list->type != GgufType::String)
        return malformed(key, "this is not a list of texts");
    if (list->count > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()))
        return malformed(key, "the list is too long");
    result.reserve(list->count);
    ByteReader reader = list->elements;
    for (std::uint64_t i = 0; i < list->count; ++i)
        result.emplace_back(readGgufString(reader));
    return result;
}

/// A list as long as the vocabulary, or none at all.
template <class T>
Result<std::vector<T>> VocabularyReader::numbers(const char *key, GgufType type, std::size_t count) const
{
    const GgufArray *list = array(key);
    std::vector<T> result;
    if (!list)
        return result;
    if (list->type != type || list->count != count)
        return malformed(key, "the list has another type or length than the vocabulary needs");
    result.reserve(count);
    ByteReader reader = list->elements;
    for (std::size_t i = 0; i < count; ++i)
        result.push_back(reader.read<T>());
    return result;
}

/// Writers spell "none" as -1, which a u32 holds as its largest value.
Result<std::optional<std::int32_t>> VocabularyReader::id(const char *key, std::optional<std::int32_t> missing) const
{
    const auto size = static_cast<std::int64_t>(m_vocabulary.tokens.size());
    if (!m_metadata.scalars().contains(kPrefix + key))
        return missing && *missing < size ? missing : std::nullopt;
    const std::optional<std::int64_t> value = m_metadata.integer(kPrefix + key);
    if (value == -1 || value == std::numeric_limits<std::uint32_t>::max())
        return std::optional<std::int32_t>();
    if (!value || *value < 0 || *value >= size)
        return malformed(key, "the id lies outside the vocabulary of " + std::to_string(size) + " pieces");
    return std::optional(static_cast<std::int32_t>(*value));
}

Result<void> VocabularyReader::readLists()
{
    Result<std::vector<std::string>> tokens = texts("tokens");
    Result<std::vector<std::string>> merges = texts("merges");
    if (!tokens || !merges)
        return propagate(tokens ? merges : tokens);
    if (tokens->empty())
        return malformed("tokens", "the vocabulary is empty");
    Result<std::vector<float>> scores = numbers<float>("scores", GgufType::F32, tokens->size());
    if (!scores)
        return propagate(scores);
    for (const float score : *scores)
        if (std::isnan(score))
            return malformed("scores", "a score is not a number");
    Result<std::vector<std::int32_t>> types = numbers<std::int32_t>("token_type", GgufType::I32, tokens->size());
    if (!types)
        return propagate(types);
    m_vocabulary.tokens = std::move(*tokens);
    m_vocabulary.merges = std::move(*merges);
    m_vocabulary.scores = std::move(*scores);
    m_vocabulary.types = std::move(*types);
    return {};
}

Result<void> VocabularyReader::readIds()
{
    struct IdField {
        const char *key;
        std::optional<std::int32_t> EmbeddedVocabulary::*field;
        std::int32_t sentencePieceDefault;
    };
    const bool sentencePiece = m_vocabulary.kind == EmbeddedVocabulary::Kind::SentencePiece;
    for (const IdField &field :
         {IdField{"bos_token_id", &EmbeddedVocabulary::bos, 1}, IdField{"eos_token_id", &EmbeddedVocabulary::eos, 2},
          IdField{"unknown_token_id", &EmbeddedVocabulary::unknown, 0},
          IdField{"padding_token_id", &EmbeddedVocabulary::padding, -1}}) {
        const bool hasDefault = sentencePiece && field.sentencePieceDefault >= 0;
        const auto value = id(field.key, hasDefault ? std::optional(field.sentencePieceDefault) : std::nullopt);
        if (!value)
            return propagate(value);
        m_vocabulary.*field.field = *value;
    }
    return {};
}

Result<EmbeddedVocabulary> VocabularyReader::read(EmbeddedVocabulary::Kind kind)
{
    m_vocabulary.kind = kind;
    if (const Result<void> done = readLists(); !done)
        return propagate(done);
    if (const Result<void> done = readIds(); !done)
        return propagate(done);
    const bool sentencePiece = kind == EmbeddedVocabulary::Kind::SentencePiece;
    m_vocabulary.preTokenizer = m_metadata.text(kPrefix + "pre");
    // Llama 3 is the byte-level vocabulary that begins every text with its own token.
    m_vocabulary.addBos = flag("add_bos_token", sentencePiece || m_vocabulary.preTokenizer.starts_with("llama"));
    m_vocabulary.addEos = flag("add_eos_token", false);
    m_vocabulary.addSpacePrefix = flag("add_space_prefix", sentencePiece);
    m_vocabulary.chatTemplate = m_metadata.text("tokenizer.chat_template");
    return std::move(m_vocabulary);
}

} // namespace

Result<std::optional<EmbeddedVocabulary>> readGgufVocabulary(const GgufMetadata &metadata, const std::string &file)
{
    const std::string model = metadata.text(kPrefix + "model");
    if (model != "llama" && model != "gpt2")
        return std::optional<EmbeddedVocabulary>();
    Result<EmbeddedVocabulary> vocabulary =
        VocabularyReader(metadata, file)
            .read(model == "llama" ? EmbeddedVocabulary::Kind::SentencePiece : EmbeddedVocabulary::Kind::ByteLevelBpe);
    if (!vocabulary)
        return propagate(vocabulary);
    return std::optional(std::move(*vocabulary));
}

} // namespace lens
