// Tokenizers from vocabularies that lie inside model files.
#include "text/bpetokenizer.h"
#include "text/scoretokenizer.h"

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

using Type = ScoreParts::Type;

constexpr std::size_t longestPiece = 8192;

std::string tokenName(std::size_t index)
{
    return "token " + std::to_string(index);
}

Result<void> checkId(const std::optional<TokenId> &id, const char *what, std::size_t count, const std::string &where)
{
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= count))
        return fail(ErrorCode::Malformed,
                    std::string("the ") + what + " token is " + std::to_string(*id) + ", but there are only "
                        + std::to_string(count) + " tokens",
                    where, "the file is damaged; get it again");
    return {};
}

Result<void> check(const EmbeddedVocabulary &vocabulary, const std::string &where)
{
    const std::size_t count = vocabulary.tokens.size();
    const auto malformed = [&](std::string what) {
        return fail(ErrorCode::Malformed, std::move(what), where, "the file is damaged; get it again");
    };
    if (count == 0)
        return malformed("the vocabulary is empty");
    if (!vocabulary.scores.empty() && vocabulary.scores.size() != count)
        return malformed("there are " + std::to_string(vocabulary.scores.size()) + " scores for "
                         + std::to_string(count) + " tokens");
    if (!vocabulary.types.empty() && vocabulary.types.size() != count)
        return malformed("there are " + std::to_string(vocabulary.types.size()) + " types for "
                         + std::to_string(count) + " tokens");
    for (std::size_t i = 0; i < count; ++i) {
        if (vocabulary.tokens[i].size() > longestPiece)
            return malformed(tokenName(i) + " is " + std::to_string(vocabulary.tokens[i].size()) + " bytes long");
        if (!vocabulary.scores.empty() && std::isnan(vocabulary.scores[i]))
            return malformed(tokenName(i) + " has no number for a score");
        if (!vocabulary.types.empty() && (vocabulary.types[i] < 0 || vocabulary.types[i] > 6))
            return malformed(tokenName(i) + " has the unknown type " + std::to_string(vocabulary.types[i]));
    }
    const std::pair<std::optional<TokenId>, const char *> named[] = {{vocabulary.bos, "beginning-of-text"},
                                                                     {vocabulary.eos, "end-of-text"},
                                                                     {vocabulary.unknown, "unknown"},
                                                                     {vocabulary.padding, "padding"}};
    for (const auto &[id, what] : named) {
        if (auto good = checkId(id, what, count, where); !good)
            return good;
    }
    return {};
}

std::vector<Type> typesOf(const EmbeddedVocabulary &vocabulary)
{
    std::vector<Type> types(vocabulary.tokens.size(), Type::Normal);
    for (std::size_t i = 0; i < vocabulary.types.size(); ++i) {
        if (vocabulary.types[i] != 0)
            types[i] = static_cast<Type>(vocabulary.types[i]);
    }
    if (vocabulary.types.empty()) {
        for (const auto &id : {vocabulary.bos, vocabulary.eos}) {
            if (id)
                types[static_cast<std::size_t>(*id)] = Type::Control;
        }
    }
    return types;
}

SpecialMatcher matcherFor(const EmbeddedVocabulary &vocabulary, const std::vector<Type> &types)
{
    std::vector<AddedToken> added;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const bool control = types[i] == Type::Control || types[i] == Type::Unknown;
        if ((control || types[i] == Type::UserDefined) && !vocabulary.tokens[i].empty())
            added.push_back({.content = vocabulary.tokens[i], .id = static_cast<TokenId>(i), .control = control});
    }
    return SpecialMatcher(std::move(added), SpecialMatcher::Order::LongestFirst);
}

TokenTable tableOf(const EmbeddedVocabulary &vocabulary, const std::vector<Type> &types)
{
    TokenTable table;
    table.pieces = vocabulary.tokens;
    for (const Type type : types)
        table.isSpecial.push_back(type == Type::Control || type == Type::Unknown);
    table.special = {vocabulary.bos, vocabulary.eos, vocabulary.unknown, vocabulary.padding, {}};
    collectEndOfGeneration(table, {});
    if (vocabulary.addBos && vocabulary.bos)
        table.prefix.push_back(*vocabulary.bos);
    if (vocabulary.addEos && vocabulary.eos)
        table.suffix.push_back(*vocabulary.eos);
    table.chatTemplate = vocabulary.chatTemplate;
    return table;
}

// The splitting that a GGUF file names. The reference treats names that it does not know as an error, too.
Result<PreTokenizer> preTokenizerFor(const std::string &name, const std::string &where)
{
    const auto isOneOf = [&name](std::initializer_list<const char *> names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    PreTokenizer pipeline;
    if (isOneOf({"", "default"})) {
        pipeline.add(makeRunSplit(CharacterSet::Punctuation, std::string::npos));
        pipeline.add(makeGpt2Split());
        pipeline.add(makeRunSplit(CharacterSet::Numbers, std::string::npos));
        pipeline.add(makeRunSplit(CharacterSet::AsciiDigits, 3, true));
    } else if (isOneOf({"gpt-2", "gpt2", "mpt", "olmo", "phi-2", "jina-es", "jina-de", "roberta-bpe", "exaone4"})) {
        pipeline.add(makeGpt2Split());
    } else if (isOneOf({"smollm", "starcoder", "refact", "command-r", "codeshell"})) {
        pipeline.add(makeRunSplit(CharacterSet::Numbers, 1));
        pipeline.add(makeGpt2Split());
    } else if (isOneOf({"llama-bpe", "llama3", "llama-v3", "falcon3"})) {
        pipeline.add(makeLlama3Split(3));
    } else if (isOneOf({"qwen2", "deepseek-r1-qwen", "megrez"})) {
        pipeline.add(makeLlama3Split(1));
    } else {
        return fail(ErrorCode::Unsupported, "the vocabulary wants the pre-tokenizer \"" + name + "\", which is unknown",
                    where, "use a model with one of: default, gpt-2, smollm, llama-bpe, qwen2");
    }
    pipeline.add(makeByteLevel(false, false));
    return pipeline;
}

Result<TokenizerPtr> makeRanked(const EmbeddedVocabulary &vocabulary, const std::string &where)
{
    auto preTokenizer = preTokenizerFor(vocabulary.preTokenizer, where);
    if (!preTokenizer)
        return propagate(preTokenizer);
    const std::vector<Type> types = typesOf(vocabulary);
    PieceIds pieces;
    std::vector<bool> verbatim;
    for (std::size_t i = 0; i < types.size(); ++i) {
        pieces.insert_or_assign(vocabulary.tokens[i], static_cast<TokenId>(i));
        verbatim.push_back(types[i] != Type::Normal);
    }
    std::vector<Bpe::Merge> merges;
    merges.reserve(vocabulary.merges.size());
    for (const std::string_view merge : vocabulary.merges) {
        // A piece may begin with a space, never be empty: the separator is not the first byte.
        const std::size_t space = merge.find(' ', 1);
        if (space == std::string_view::npos || space + 1 == merge.size())
            return fail(ErrorCode::Malformed, "merge " + std::to_string(merges.size()) + " is not a pair", where,
                        "the file is damaged; get it again");
        merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    }
    const bool wholeWords = vocabulary.preTokenizer == "llama-bpe" || vocabulary.preTokenizer == "llama3"
                            || vocabulary.preTokenizer == "llama-v3" || vocabulary.preTokenizer == "falcon3";
    auto bpe = Bpe::make(std::move(pieces), merges, {.wholeWordFirst = wholeWords, .unknownBlocksMerges = true}, where);
    if (!bpe)
        return propagate(bpe);
    SpecialMatcher matcher = matcherFor(vocabulary, types);
    BpeParts parts{.bpe = std::move(*bpe),
                   .normalizer = {},
                   .preTokenizer = std::move(*preTokenizer),
                   .beforeNormalizing = std::move(matcher),
                   .afterNormalizing = {},
                   .isVerbatim = std::move(verbatim),
                   .repair = BrokenBytes::EachByte,
                   .style = {}};
    return std::make_shared<BpeTokenizer>(tableOf(vocabulary, types), std::move(parts));
}

TokenizerPtr makeScored(const EmbeddedVocabulary &vocabulary)
{
    ScoreParts parts;
    parts.types = typesOf(vocabulary);
    parts.scores = vocabulary.scores;
    parts.scores.resize(parts.types.size(), 0.0f);
    parts.matcher = matcherFor(vocabulary, parts.types);
    parts.addSpacePrefix = vocabulary.addSpacePrefix;
    TokenTable table = tableOf(vocabulary, parts.types);
    return std::make_shared<ScoreTokenizer>(std::move(table), std::move(parts));
}

} // namespace

Result<TokenizerPtr> makeTokenizer(const EmbeddedVocabulary &vocabulary, const std::string &where)
try {
    if (auto good = check(vocabulary, where); !good)
        return propagate(good);
    if (vocabulary.kind == EmbeddedVocabulary::Kind::ByteLevelBpe)
        return makeRanked(vocabulary, where);
    return makeScored(vocabulary);
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory for the vocabulary", where);
}

} // namespace lens
