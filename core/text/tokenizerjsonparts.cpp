#include "text/tokenizerjsonparts.h"

#include <functional>

namespace lens {

namespace {

using nlohmann::json;

tl::unexpected<Error> unsupported(const std::string &what, const std::string &where)
{
    return fail(ErrorCode::Unsupported, what + " is not supported", where,
                "use a model with a byte-level or Llama-style BPE tokenizer, or its tokenizer.model");
}

tl::unexpected<Error> malformed(const std::string &what, const std::string &where)
{
    return fail(ErrorCode::Malformed, what, where, "the file is damaged; get it again");
}

std::string typeOf(const json &part)
{
    return part.is_object() && part.contains("type") && part["type"].is_string() ? part["type"].get<std::string>()
                                                                                : std::string();
}

bool flag(const json &part, const char *name, bool otherwise)
{
    const auto found = part.find(name);
    return found != part.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

std::string text(const json &part, const char *name)
{
    const auto found = part.find(name);
    return found != part.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Calls `handle` for `part`, or for each member of it when it is a Sequence whose members are listed under `list`.
Result<void> eachPart(const json &part, const char *list, const std::string &where,
                      const std::function<Result<void>(const json &)> &handle)
{
    if (part.is_null())
        return {};
    if (typeOf(part) != "Sequence")
        return handle(part);
    const auto members = part.find(list);
    if (members == part.end() || !members->is_array())
        return malformed(std::string("a Sequence lacks its list \"") + list + "\"", where);
    for (const json &member : *members) {
        if (auto done = eachPart(member, list, where, handle); !done)
            return done;
    }
    return {};
}

// {"String": "..."} or {"Regex": "..."}
struct Pattern {
    std::string text;
    bool isRegex = false;
};

Result<Pattern> readPattern(const json &part, const std::string &where)
{
    const auto found = part.find("pattern");
    if (found != part.end() && found->is_object()) {
        for (const bool isRegex : {false, true}) {
            const std::string value = text(*found, isRegex ? "Regex" : "String");
            if (!value.empty())
                return Pattern{value, isRegex};
        }
    }
    return malformed("a " + typeOf(part) + " has no pattern", where);
}

Result<NormalizeStepPtr> readNormalizeStep(const json &part, const std::string &where)
{
    const std::string type = typeOf(part);
    if (type == "NFC")
        return makeUnicodeNormalizer(UnicodeForm::Nfc);
    if (type == "NFD")
        return makeUnicodeNormalizer(UnicodeForm::Nfd);
    if (type == "NFKC")
        return makeUnicodeNormalizer(UnicodeForm::Nfkc);
    if (type == "NFKD")
        return makeUnicodeNormalizer(UnicodeForm::Nfkd);
    if (type == "Lowercase")
        return makeLowercase();
    if (type == "Prepend")
        return makePrepend(text(part, "prepend"));
    if (type == "Strip")
        return makeStrip(flag(part, "strip_left", true), flag(part, "strip_right", true));
    if (type == "Replace") {
        const auto pattern = readPattern(part, where);
        if (!pattern)
            return propagate(pattern);
        if (pattern->isRegex)
            return unsupported("the normalizer Replace with a regular expression", where);
        return makeReplace(pattern->text, text(part, "content"));
    }
    return unsupported("the normalizer \"" + type + "\"", where);
}

Result<SplitStepPtr> readSplit(const json &part, const std::string &where)
{
    const std::string name = text(part, "behavior");
    const std::pair<const char *, SplitBehaviour> behaviours[] = {
        {"Isolated", SplitBehaviour::Isolated},
        {"Removed", SplitBehaviour::Removed},
        {"MergedWithPrevious", SplitBehaviour::MergedWithPrevious},
        {"MergedWithNext", SplitBehaviour::MergedWithNext},
        {"Contiguous", SplitBehaviour::Contiguous},
    };
    const auto pattern = readPattern(part, where);
    if (!pattern)
        return propagate(pattern);
    for (const auto &[known, behaviour] : behaviours) {
        if (name == known)
            return makeSplit(pattern->text, pattern->isRegex, behaviour, flag(part, "invert", false), where);
    }
    return unsupported("the Split behaviour \"" + name + "\"", where);
}

Result<SplitStepPtr> readMetaspace(const json &part, const std::string &where)
{
    const std::string scheme = text(part, "prepend_scheme");
    Prepend prepend = flag(part, "add_prefix_space", true) ? Prepend::Always : Prepend::Never;
    if (scheme == "first")
        prepend = Prepend::First;
    else if (scheme == "never")
        prepend = Prepend::Never;
    else if (!scheme.empty() && scheme != "always")
        return unsupported("the Metaspace scheme \"" + scheme + "\"", where);
    const std::string symbol = text(part, "replacement");
    if (symbol != "\u2581")
        return unsupported("the Metaspace replacement \"" + symbol + "\"", where);
    return makeMetaspace(symbol, prepend, flag(part, "split", true));
}

Result<SplitStepPtr> readSplitStep(const json &part, const std::string &where)
{
    const std::string type = typeOf(part);
    if (type == "ByteLevel")
        return makeByteLevel(flag(part, "add_prefix_space", true), flag(part, "use_regex", true));
    if (type == "Split")
        return readSplit(part, where);
    if (type == "Metaspace")
        return readMetaspace(part, where);
    if (type == "Digits")
        return makeRunSplit(CharacterSet::Numbers,
                            flag(part, "individual_digits", false) ? 1 : std::string::npos);
    return unsupported("the pre-tokenizer \"" + type + "\"", where);
}

Result<std::vector<TokenId>> idsOfSpecial(const json &part, const std::string &name, const std::string &where)
{
    std::vector<TokenId> ids;
    const auto specials = part.find("special_tokens");
    if (specials != part.end() && specials->is_object() && specials->contains(name)) {
        const json &entry = (*specials)[name];
        const auto list = entry.is_object() ? entry.find("ids") : entry.end();
        if (entry.is_object() && list != entry.end() && list->is_array()) {
            for (const json &id : *list) {
                if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<TokenId>::max())
                    return malformed("the template's token \"" + name + "\" has an impossible id", where);
                ids.push_back(id.get<TokenId>());
            }
        }
    }
    if (ids.empty())
        return malformed("the template names the token \"" + name + "\" without its ids", where);
    return ids;
}

Result<void> readTemplate(const json &part, Affixes &affixes, const std::string &where)
{
    const auto single = part.find("single");
    if (single == part.end() || !single->is_array())
        return malformed("TemplateProcessing lacks the list \"single\"", where);
    affixes.isTemplate = true;
    bool afterText = false;
    for (const json &item : *single) {
        if (item.is_object() && item.contains("Sequence")) {
            afterText = true;
        } else if (item.is_object() && item.contains("SpecialToken") && item["SpecialToken"].is_object()) {
            const auto ids = idsOfSpecial(part, text(item["SpecialToken"], "id"), where);
            if (!ids)
                return propagate(ids);
            auto &target = afterText ? affixes.suffix : affixes.prefix;
            target.insert(target.end(), ids->begin(), ids->end());
        } else {
            return malformed("TemplateProcessing has an item that is neither text nor token", where);
        }
    }
    return {};
}

} // namespace

Result<Normalizer> readNormalizer(const json &part, const std::string &where)
{
    Normalizer normalizer;
    auto done = eachPart(part, "normalizers", where, [&](const json &member) -> Result<void> {
        auto step = readNormalizeStep(member, where);
        if (!step)
            return propagate(step);
        normalizer.add(std::move(*step));
        return {};
    });
    if (!done)
        return propagate(done);
    return normalizer;
}

Result<PreTokenizer> readPreTokenizer(const json &part, const std::string &where)
{
    PreTokenizer preTokenizer;
    auto done = eachPart(part, "pretokenizers", where, [&](const json &member) -> Result<void> {
        auto step = readSplitStep(member, where);
        if (!step)
            return propagate(step);
        preTokenizer.add(std::move(*step));
        return {};
    });
    if (!done)
        return propagate(done);
    return preTokenizer;
}

Result<DecoderParts> readDecoder(const json &part, const std::string &where)
{
    DecoderParts decoder;
    auto done = eachPart(part, "decoders", where, [&](const json &member) -> Result<void> {
        const std::string type = typeOf(member);
        if (type == "ByteLevel")
            decoder.spelling = BpeParts::Spelling::ByteAlphabet;
        else if (type == "Metaspace")
            decoder.style.leadingSpace = DecodeStyle::LeadingSpace::DropOne;
        else if (type == "Strip" && text(member, "content") == " " && member.value("start", 0) == 1)
            decoder.style.leadingSpace = DecodeStyle::LeadingSpace::DropOne;
        else if (type != "Replace" && type != "ByteFallback" && type != "Fuse")
            return unsupported("the decoder \"" + type + "\"", where);
        return {};
    });
    if (!done)
        return propagate(done);
    if (decoder.spelling == BpeParts::Spelling::SpaceSymbol) {
        decoder.style.brokenBytes = BrokenBytes::EachByte;
        decoder.style.specialEndsCharacter = true;
    }
    return decoder;
}

Result<Affixes> readPostProcessor(const json &part, const std::string &where)
{
    Affixes affixes;
    auto done = eachPart(part, "processors", where, [&](const json &member) -> Result<void> {
        const std::string type = typeOf(member);
        if (type == "TemplateProcessing")
            return readTemplate(member, affixes, where);
        if (type != "ByteLevel")
            return unsupported("the post-processor \"" + type + "\"", where);
        return {};
    });
    if (!done)
        return propagate(done);
    return affixes;
}

} // namespace lens
