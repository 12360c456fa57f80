#include "text/sentencepiecetokenizer.h"

#include "text/bpe.h"
#include "text/utf8.h"

#include <algorithm>
#include <sentencepiece_processor.h>

namespace lens {

namespace {

using Type = SentencePieceModel::Type;

std::optional<TokenId> idOf(const TokenTable &table, const std::string &piece)
{
    const auto found = std::find(table.pieces.begin(), table.pieces.end(), piece);
    return found == table.pieces.end() ? std::nullopt
                                       : std::optional(static_cast<TokenId>(found - table.pieces.begin()));
}

Result<TokenTable> makeTable(const SentencePieceModel &model, const TokenizerExtras &extras, const std::string &where)
{
    TokenTable table;
    for (const auto &piece : model.pieces) {
        table.pieces.push_back(piece.text);
        table.isSpecial.push_back(piece.type == Type::Control);
    }
    for (const AddedToken &token : extras.added) {
        const auto index = static_cast<std::size_t>(token.id);
        if (token.id < 0 || index > model.pieces.size() + extras.added.size())
            return fail(ErrorCode::Malformed,
                        "the added token \"" + token.content + "\" has the impossible id " + std::to_string(token.id),
                        where, "get the folder from its source again");
        if (index >= table.pieces.size()) {
            table.pieces.resize(index + 1);
            table.isSpecial.resize(index + 1, false);
        }
        if (table.pieces[index].empty())
            table.pieces[index] = token.content;
        table.isSpecial[index] = table.isSpecial[index] || token.control;
    }
    const auto named = [&](const std::optional<std::string> &configured, const std::string &own) {
        return idOf(table, configured.value_or(own));
    };
    table.special = {named(extras.bos, model.bosPiece), named(extras.eos, model.eosPiece),
                     named(extras.unknown, model.unknownPiece), named(extras.padding, model.paddingPiece), {}};
    if (table.special.bos && extras.addBos.value_or(true))
        table.prefix.push_back(*table.special.bos);
    if (table.special.eos && extras.addEos.value_or(false))
        table.suffix.push_back(*table.special.eos);
    table.chatTemplate = extras.chatTemplate;
    collectEndOfGeneration(table, extras.endOfGeneration);
    return table;
}

constexpr std::uint64_t unigramType = 1;

// The library gets normalised text, and therefore a model without normalisation.
std::string modelForLibrary(SentencePieceModel model)
{
    model.characterMap.clear();
    model.addDummyPrefix = false;
    model.removeExtraSpaces = false;
    return rebuilt(model);
}

// One bit per code point: whether any piece contains it.
std::vector<bool> knownCharacters(const SentencePieceModel &model)
{
    std::vector<bool> known(0x110000, false);
    for (const auto &piece : model.pieces) {
        for (std::size_t at = 0; at < piece.text.size();) {
            const Utf8Char character = utf8At(piece.text, at);
            known[character.codePoint] = true;
            at += character.length;
        }
    }
    return known;
}

SpecialMatcher makeMatcher(const TokenTable &table, const SentencePieceModel &model, const TokenizerExtras &extras)
{
    std::vector<AddedToken> tokens;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        if (model.pieces[i].type == Type::Control)
            tokens.push_back({.content = model.pieces[i].text, .id = static_cast<TokenId>(i), .control = true});
    }
    for (const AddedToken &token : extras.added) {
        if (static_cast<std::size_t>(token.id) >= model.pieces.size()
            || table.pieces[static_cast<std::size_t>(token.id)] != token.content)
            tokens.push_back(token);
    }
    return SpecialMatcher(std::move(tokens), SpecialMatcher::Order::LeftmostLongest);
}

} // namespace

Result<TokenizerPtr> makeSentencePieceTokenizer(std::string_view file, const TokenizerExtras &extras,
                                                const std::string &where)
try {
    auto model = readSentencePieceModel(file, where);
    if (!model)
        return propagate(model);
    auto table = makeTable(*model, extras, where);
    if (!table)
        return propagate(table);
    // The library loads unigram models too, and so judges them, though it does not encode with them (see Unigram).
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    if (const auto status = processor->LoadFromSerializedProto(modelForLibrary(*model)); !status.ok())
        return fail(ErrorCode::Malformed, "sentencepiece refuses the model: " + status.ToString(), where,
                    "get the tokenizer file from its source again");
    SpecialMatcher matcher = makeMatcher(*table, *model, extras);
    return std::make_shared<SentencePieceTokenizer>(std::move(*table), std::move(*model), std::move(matcher),
                                                    std::move(processor));
} catch (const std::exception &e) {
    return fail(ErrorCode::Malformed, std::string("sentencepiece cannot use the model: ") + e.what(), where,
                "get the tokenizer file from its source again");
}

SentencePieceTokenizer::SentencePieceTokenizer(TokenTable table, SentencePieceModel model, SpecialMatcher matcher,
                                               ProcessorPtr processor)
    : BasicTokenizer(std::move(table)), m_model(std::move(model)), m_matcher(std::move(matcher)),
      m_processor(std::move(processor)), m_normalizer(m_model)
{
    if (m_model.modelType == unigramType)
        m_unigram.emplace(m_model);
    else if (!m_model.byteFallback)
        m_known = knownCharacters(m_model);
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::string_view SentencePieceTokenizer::kind() const
{
    return m_model.modelType == unigramType ? "sentencepiece unigram" : "sentencepiece";
}

std::string SentencePieceTokenizer::bytes(TokenId id, bool skipSpecial) const
{
    if (!inRange(id) || (skipSpecial && isSpecial(id)))
        return {};
    const auto index = static_cast<std::size_t>(id);
    if (index >= m_model.pieces.size())
        return pieceAt(id);
    switch (m_model.pieces[index].type) {
    case Type::Control: return pieceAt(id);
    case Type::Unknown: return m_model.unknownSurface;
    case Type::Byte: return std::string(1, static_cast<char>(byteOfPiece(pieceAt(id)).value_or(0)));
    default: return withSpaces(pieceAt(id));
    }
}

DecodeStyle SentencePieceTokenizer::decodeStyle() const
{
    using LeadingSpace = DecodeStyle::LeadingSpace;
    const LeadingSpace space = m_model.removeExtraSpaces  ? LeadingSpace::DropFromEach
                               : m_model.addDummyPrefix ? LeadingSpace::DropOne
                                                        : LeadingSpace::Keep;
    return {space, BrokenBytes::EachByte, true};
}

Result<void> SentencePieceTokenizer::encodeBody(std::string_view text, std::span<const ByteRange> control,
                                                std::vector<TokenId> &ids) const
try {
    for (const Fragment &fragment : m_matcher.split(text, control)) {
        if (fragment.token) {
            ids.push_back(fragment.token->id);
            continue;
        }
        const auto [begin, end] = fragment.range;
        if (auto done = encodeFragment(text.substr(begin, end - begin), ids); !done)
            return done;
    }
    return {};
} catch (const std::bad_alloc &) {
    throw;
} catch (const std::exception &e) {
    return fail(ErrorCode::Internal, std::string("sentencepiece cannot encode the text: ") + e.what());
}

// The library joins a run of unknown characters into one token in quadratic time; one character stands for them all.
std::string SentencePieceTokenizer::withoutUnknownRuns(const std::string &text) const
{
    std::string result;
    bool afterUnknown = false;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char character = utf8At(text, at);
        const bool isUnknown = !m_known[character.codePoint];
        if (!isUnknown || !afterUnknown)
            result.append(text, at, character.length);
        afterUnknown = isUnknown;
        at += character.length;
    }
    return result;
}

Result<void> SentencePieceTokenizer::encodeFragment(std::string_view text, std::vector<TokenId> &ids) const
{
    std::string normalised = m_normalizer.apply(text);
    if (m_unigram) {
        m_unigram->encode(normalised, ids);
        return {};
    }
    if (!m_known.empty())
        normalised = withoutUnknownRuns(normalised);
    std::vector<int> part;
    if (const auto status = m_processor->Encode(normalised, &part); !status.ok())
        return fail(ErrorCode::Internal, "sentencepiece cannot encode the text: " + status.ToString());
    ids.insert(ids.end(), part.begin(), part.end());
    return {};
}

} // namespace lens
