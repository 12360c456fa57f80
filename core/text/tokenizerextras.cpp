#include "text/tokenizerextras.h"

#include "text/jsontext.h"
#include "text/tokenizerjson.h"

#include <algorithm>
#include <charconv>

namespace lens {

namespace {

using nlohmann::json;

constexpr std::size_t largestConfig = 64u << 20;

// nullopt when the file does not exist.
Result<std::optional<json>> readOptional(const std::filesystem::path &file)
{
    auto content = readTextFile(file, largestConfig);
    if (!content) {
        if (content.error().code == ErrorCode::NotFound)
            return std::nullopt;
        return propagate(content);
    }
    auto parsed = parseJson(*content, file.string());
    if (!parsed)
        return propagate(parsed);
    if (!parsed->is_object())
        return fail(ErrorCode::Malformed, "the file does not hold a JSON object", file.string(),
                    "get the folder from its source again");
    return std::optional(std::move(*parsed));
}

// "<s>" or {"content": "<s>", ...}
std::optional<std::string> tokenText(const json &config, const char *name)
{
    const auto found = config.find(name);
    if (found == config.end())
        return std::nullopt;
    const json &value = found->is_object() && found->contains("content") ? (*found)["content"] : *found;
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

void takeTokenTexts(const json &config, TokenizerExtras &extras)
{
    const std::pair<const char *, std::optional<std::string> *> names[] = {{"bos_token", &extras.bos},
                                                                           {"eos_token", &extras.eos},
                                                                           {"unk_token", &extras.unknown},
                                                                           {"pad_token", &extras.padding}};
    for (const auto &[name, target] : names) {
        if (!*target)
            *target = tokenText(config, name);
    }
}

void takeFlag(const json &config, const char *name, std::optional<bool> &target)
{
    const auto found = config.find(name);
    if (found != config.end() && found->is_boolean())
        target = found->get<bool>();
}

// A string, or a list of named templates of which "default" is the one for chat.
void takeChatTemplate(const json &config, TokenizerExtras &extras)
{
    const auto found = config.find("chat_template");
    if (found == config.end())
        return;
    if (found->is_string())
        extras.chatTemplate = found->get<std::string>();
    if (!found->is_array())
        return;
    for (const json &entry : *found) {
        if (entry.is_object() && tokenText(entry, "name") == "default")
            extras.chatTemplate = tokenText(entry, "template").value_or(std::string());
    }
}

Result<void> takeAddedTokens(const json &config, TokenizerExtras &extras, const std::string &where)
{
    const auto found = config.find("added_tokens_decoder");
    if (found == config.end() || !found->is_object())
        return {};
    for (const auto &[key, value] : found->items()) {
        json entry = value;
        TokenId id = -1;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (error != std::errc() || end != key.data() + key.size() || !entry.is_object())
            return fail(ErrorCode::Malformed, "added_tokens_decoder has the impossible id \"" + key + "\"", where,
                        "get the folder from its source again");
        entry["id"] = id;
        auto token = readAddedToken(entry, where);
        if (!token)
            return propagate(token);
        extras.added.push_back(std::move(*token));
    }
    return {};
}

// added_tokens.json of older folders: {"<token>": id}
Result<void> takeOldAddedTokens(const json &config, TokenizerExtras &extras, const std::string &where)
{
    for (const auto &[content, id] : config.items()) {
        auto token = readAddedToken({{"content", content}, {"id", id}}, where);
        if (!token)
            return propagate(token);
        const auto isSame = [&](const AddedToken &other) { return other.content == token->content; };
        if (std::none_of(extras.added.begin(), extras.added.end(), isSame))
            extras.added.push_back(std::move(*token));
    }
    return {};
}

void takeEndIds(const json &config, TokenizerExtras &extras)
{
    const auto found = config.find("eos_token_id");
    if (found == config.end())
        return;
    const json list = found->is_array() ? *found : json::array({*found});
    for (const json &id : list) {
        if (id.is_number_integer() && id >= 0 && id <= std::numeric_limits<TokenId>::max())
            extras.endOfGeneration.push_back(id.get<TokenId>());
    }
}

using Taker = Result<void> (*)(const json &, TokenizerExtras &, const std::string &);

Result<void> takeTokenizerConfig(const json &config, TokenizerExtras &extras, const std::string &where)
{
    takeTokenTexts(config, extras);
    takeFlag(config, "add_bos_token", extras.addBos);
    takeFlag(config, "add_eos_token", extras.addEos);
    takeChatTemplate(config, extras);
    return takeAddedTokens(config, extras, where);
}

Result<void> takeSpecialTokensMap(const json &config, TokenizerExtras &extras, const std::string &)
{
    takeTokenTexts(config, extras);
    return {};
}

Result<void> takeModelConfig(const json &config, TokenizerExtras &extras, const std::string &)
{
    takeEndIds(config, extras);
    return {};
}

Result<void> takeChatTemplateFile(const json &config, TokenizerExtras &extras, const std::string &)
{
    takeChatTemplate(config, extras);
    return {};
}

} // namespace

Result<TokenizerExtras> readTokenizerExtras(const std::filesystem::path &folder)
try {
    constexpr std::pair<const char *, Taker> files[] = {{"tokenizer_config.json", takeTokenizerConfig},
                                                        {"special_tokens_map.json", takeSpecialTokensMap},
                                                        {"added_tokens.json", takeOldAddedTokens},
                                                        {"generation_config.json", takeModelConfig},
                                                        {"config.json", takeModelConfig},
                                                        {"chat_template.json", takeChatTemplateFile}};
    TokenizerExtras extras;
    for (const auto &[name, take] : files) {
        const std::filesystem::path file = folder / name;
        const auto config = readOptional(file);
        if (!config)
            return propagate(config);
        if (!*config)
            continue;
        if (auto done = take(**config, extras, file.string()); !done)
            return propagate(done);
    }
    auto jinja = readTextFile(folder / "chat_template.jinja", largestConfig);
    if (jinja)
        extras.chatTemplate = std::move(*jinja);
    else if (jinja.error().code != ErrorCode::NotFound)
        return propagate(jinja);
    return extras;
} catch (const nlohmann::json::exception &e) {
    return fail(ErrorCode::Malformed, std::string("the tokenizer's configuration is not as expected: ") + e.what(),
                folder.string(), "get the folder from its source again");
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory for the tokenizer's configuration", folder.string());
}

} // namespace lens
