#include "text/tokenizerjson.h"

#include "text/jsontext.h"
#include "text/tokenizerjsonparts.h"

#include <algorithm>

namespace lens {

namespace {

using nlohmann::json;

constexpr const char *damaged = "the file is damaged; get it again";

tl::unexpected<Error> malformed(std::string what, const std::string &where)
{
    return fail(ErrorCode::Malformed, std::move(what), where, damaged);
}

const json &member(const json &object, const char *name)
{
    static const json null;
    const auto found = object.find(name);
    return found == object.end() ? null : *found;
}

bool isTrue(const json &object, const char *name)
{
    const json &value = member(object, name);
    return value.is_boolean() && value.get<bool>();
}

std::optional<TokenId> readId(const json &value)
{
    if (!value.is_number_integer() || value < 0 || value > std::numeric_limits<TokenId>::max())
        return std::nullopt;
    return value.get<TokenId>();
}

class JsonTokenizerReader {
public:
    JsonTokenizerReader(const json &root, const TokenizerExtras &extras, const std::string &where)
        : m_root(root), m_model(member(root, "model")), m_extras(extras), m_where(where)
    {
    }

    Result<TokenizerPtr> read()
    {
        if (auto good = checkModel(); !good)
            return propagate(good);
        if (auto good = readVocabulary(); !good)
            return propagate(good);
        if (auto good = readAddedTokens(); !good)
            return propagate(good);
        auto bpe = readBpe();
        if (!bpe)
            return propagate(bpe);
        if (auto good = readSpecialTokens(); !good)
            return propagate(good);
        return assemble(std::move(*bpe));
    }

private:
    Result<void> checkModel() const
    {
        if (!m_model.is_object())
            return malformed("there is no \"model\"", m_where);
        // Files of older versions leave the type out.
        const json &type = member(m_model, "type");
        if (type.is_string() ? type != "BPE" : !member(m_model, "merges").is_array())
            return fail(ErrorCode::Unsupported,
                        "a tokenizer model of type " + (type.is_string() ? type.get<std::string>() : "unknown")
                            + " is not supported",
                        m_where, "use a model with a BPE tokenizer, or its tokenizer.model");
        for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
            const json &value = member(m_model, name);
            if (value.is_string() && !value.get_ref<const std::string &>().empty())
                return fail(ErrorCode::Unsupported, std::string("a BPE model with ") + name + " is not supported",
                            m_where, "use another model");
        }
        const json &dropout = member(m_model, "dropout");
        if (dropout.is_number() && dropout.get<double>() > 0)
            return fail(ErrorCode::Unsupported, "a BPE model with dropout is not supported", m_where,
                        "set \"dropout\" to null in the file");
        return {};
    }

    Result<void> place(TokenId id, const std::string &piece)
    {
        const auto index = static_cast<std::size_t>(id);
        if (index >= m_mostIds)
            return fail(ErrorCode::LimitExceeded,
                        "the id " + std::to_string(id) + " is out of proportion to the number of tokens", m_where,
                        damaged);
        if (index >= m_table.pieces.size())
            m_table.pieces.resize(index + 1);
        std::string &slot = m_table.pieces[index];
        if (!slot.empty() && slot != piece)
            return malformed("the id " + std::to_string(id) + " is given to two tokens", m_where);
        slot = piece;
        return {};
    }

    Result<void> readVocabulary()
    {
        const json &vocabulary = member(m_model, "vocab");
        const json &added = member(m_root, "added_tokens");
        if (!vocabulary.is_object() || vocabulary.empty())
            return malformed("the model has no \"vocab\"", m_where);
        // Some vocabularies have holes, none is mostly holes.
        m_mostIds = 2 * (vocabulary.size() + (added.is_array() ? added.size() : 0)) + 1024;
        m_pieces.reserve(vocabulary.size());
        for (const auto &[piece, value] : vocabulary.items()) {
            const auto id = readId(value);
            if (!id)
                return malformed("the token \"" + piece.substr(0, 80) + "\" has an impossible id", m_where);
            if (auto good = place(*id, piece); !good)
                return good;
            m_pieces.emplace(piece, *id);
        }
        return {};
    }

    Result<void> readAddedTokens()
    {
        const json &list = member(m_root, "added_tokens");
        if (!list.is_null() && !list.is_array())
            return malformed("\"added_tokens\" is not a list", m_where);
        for (const json &entry : list) {
            auto token = readAddedToken(entry, m_where);
            if (!token)
                return propagate(token);
            m_added.push_back(std::move(*token));
        }
        for (const AddedToken &token : m_extras.added) {
            // tokenizer.json is the authority; the configuration may only add to it.
            const auto clashes = [&](const AddedToken &other) {
                return other.content == token.content || other.id == token.id;
            };
            const auto index = static_cast<std::size_t>(token.id);
            const bool isFree = token.id >= 0 && (index >= m_table.pieces.size() || m_table.pieces[index].empty()
                                                  || m_table.pieces[index] == token.content);
            if (isFree && std::none_of(m_added.begin(), m_added.end(), clashes))
                m_added.push_back(token);
        }
        PieceIds seen;
        for (const AddedToken &token : m_added) {
            if (auto good = place(token.id, token.content); !good)
                return good;
            if (!seen.emplace(token.content, token.id).second)
                return malformed("the added token \"" + token.content + "\" occurs twice", m_where);
        }
        m_table.isSpecial.assign(m_table.pieces.size(), false);
        for (const AddedToken &token : m_added) {
            if (token.control)
                m_table.isSpecial[static_cast<std::size_t>(token.id)] = true;
        }
        return {};
    }

    Result<Bpe> readBpe()
    {
        const json &list = member(m_model, "merges");
        if (!list.is_array())
            return malformed("the model has no \"merges\"", m_where);
        std::vector<Bpe::Merge> merges;
        merges.reserve(list.size());
        for (const json &entry : list) {
            auto merge = readMerge(entry);
            if (!merge)
                return malformed("merge " + std::to_string(merges.size()) + " is not a pair", m_where);
            merges.push_back(*merge);
        }
        BpeOptions options;
        options.wholeWordFirst = isTrue(m_model, "ignore_merges");
        options.byteFallback = isTrue(m_model, "byte_fallback");
        options.fuseUnknown = isTrue(m_model, "fuse_unk");
        if (const json &unknown = member(m_model, "unk_token"); unknown.is_string()) {
            options.unknown = find(unknown.get<std::string>());
            if (!options.unknown)
                return malformed("the unknown token is not in the vocabulary", m_where);
        }
        m_table.special.unknown = options.unknown;
        return Bpe::make(std::move(m_pieces), merges, options, m_where);
    }

    static std::optional<Bpe::Merge> readMerge(const json &entry)
    {
        if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string())
            return Bpe::Merge(entry[0].get_ref<const std::string &>(), entry[1].get_ref<const std::string &>());
        if (!entry.is_string())
            return std::nullopt;
        const std::string_view pair = entry.get_ref<const std::string &>();
        const std::size_t space = pair.find(' ');
        if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos)
            return std::nullopt;
        return Bpe::Merge(pair.substr(0, space), pair.substr(space + 1));
    }

    std::optional<TokenId> find(const std::string &piece) const
    {
        const auto found = std::find(m_table.pieces.begin(), m_table.pieces.end(), piece);
        if (piece.empty() || found == m_table.pieces.end())
            return std::nullopt;
        return static_cast<TokenId>(found - m_table.pieces.begin());
    }

    Result<void> readSpecialTokens()
    {
        auto affixes = readPostProcessor(member(m_root, "post_processor"), m_where);
        if (!affixes)
            return propagate(affixes);
        for (const auto *ids : {&affixes->prefix, &affixes->suffix}) {
            for (const TokenId id : *ids) {
                if (static_cast<std::size_t>(id) >= m_table.pieces.size())
                    return malformed("the template adds token " + std::to_string(id) + ", which does not exist",
                                     m_where);
            }
        }
        SpecialTokens &special = m_table.special;
        const auto named = [this](const std::optional<std::string> &piece) {
            return piece ? find(*piece) : std::nullopt;
        };
        special.bos = named(m_extras.bos);
        special.eos = named(m_extras.eos);
        special.padding = named(m_extras.padding);
        if (const auto unknown = named(m_extras.unknown))
            special.unknown = unknown;
        if (!special.bos && !m_extras.bos && affixes->prefix.size() == 1)
            special.bos = affixes->prefix.front();
        applyConfiguredAffix(affixes->prefix, special.bos, m_extras.addBos);
        applyConfiguredAffix(affixes->suffix, special.eos, m_extras.addEos);
        m_table.prefix = std::move(affixes->prefix);
        m_table.suffix = std::move(affixes->suffix);
        m_table.chatTemplate = m_extras.chatTemplate;
        collectEndOfGeneration(m_table, m_extras.endOfGeneration);
        return {};
    }

    // add_bos_token and add_eos_token of tokenizer_config.json overrule the template, as in the reference.
    static void applyConfiguredAffix(std::vector<TokenId> &affix, std::optional<TokenId> token, std::optional<bool> add)
    {
        if (!token || !add)
            return;
        const bool present = std::find(affix.begin(), affix.end(), *token) != affix.end();
        if (*add && !present)
            affix.push_back(*token);
        else if (!*add)
            std::erase(affix, *token);
    }

    Result<TokenizerPtr> assemble(Bpe bpe)
    {
        auto normalizer = readNormalizer(member(m_root, "normalizer"), m_where);
        if (!normalizer)
            return propagate(normalizer);
        auto preTokenizer = readPreTokenizer(member(m_root, "pre_tokenizer"), m_where);
        if (!preTokenizer)
            return propagate(preTokenizer);
        auto decoder = readDecoder(member(m_root, "decoder"), m_where);
        if (!decoder)
            return propagate(decoder);
        std::vector<AddedToken> before, after;
        for (AddedToken &token : m_added) {
            if (token.normalized)
                token.content = normalizer->apply(std::move(token.content));
            if (!token.content.empty())
                (token.normalized ? after : before).push_back(std::move(token));
        }
        constexpr auto order = SpecialMatcher::Order::LeftmostLongest;
        BpeParts parts{.bpe = std::move(bpe),
                       .normalizer = std::move(*normalizer),
                       .preTokenizer = std::move(*preTokenizer),
                       .beforeNormalizing = SpecialMatcher(std::move(before), order),
                       .afterNormalizing = SpecialMatcher(std::move(after), order),
                       .spelling = decoder->spelling,
                       .isVerbatim = {},
                       .repair = BrokenBytes::EachPart,
                       .style = decoder->style};
        return std::make_shared<BpeTokenizer>(std::move(m_table), std::move(parts));
    }

    const json &m_root;
    const json &m_model;
    const TokenizerExtras &m_extras;
    const std::string &m_where;
    TokenTable m_table;
    PieceIds m_pieces;
    std::vector<AddedToken> m_added;
    std::size_t m_mostIds = 0;
};

} // namespace

Result<AddedToken> readAddedToken(const json &entry, const std::string &where)
{
    constexpr std::size_t longest = 512;
    const json &content = member(entry, "content");
    if (!entry.is_object() || !content.is_string() || content.get_ref<const std::string &>().empty())
        return malformed("an added token has no content", where);
    AddedToken token;
    token.content = content.get<std::string>();
    if (token.content.size() > longest)
        return fail(ErrorCode::LimitExceeded, "an added token is longer than " + std::to_string(longest) + " bytes",
                    where, damaged);
    const auto id = readId(member(entry, "id"));
    if (!id)
        return malformed("the added token \"" + token.content.substr(0, 80) + "\" has an impossible id", where);
    token.id = *id;
    token.control = isTrue(entry, "special");
    token.normalized = entry.contains("normalized") ? isTrue(entry, "normalized") : !token.control;
    token.stripLeft = isTrue(entry, "lstrip");
    token.stripRight = isTrue(entry, "rstrip");
    token.singleWord = isTrue(entry, "single_word");
    return token;
}

Result<TokenizerPtr> makeJsonTokenizer(std::string_view file, const TokenizerExtras &extras, const std::string &where)
try {
    const auto root = parseJson(file, where);
    if (!root)
        return propagate(root);
    if (!root->is_object())
        return malformed("this is not a tokenizer", where);
    return JsonTokenizerReader(*root, extras, where).read();
} catch (const nlohmann::json::exception &e) {
    return malformed(std::string("the tokenizer is not as expected: ") + e.what(), where);
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory for the tokenizer", where);
}

} // namespace lens
