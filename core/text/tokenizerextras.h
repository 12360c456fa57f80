// What the files beside a tokenizer file say about it.
#pragma once

#include "base/result.h"
#include "text/specialmatcher.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lens {

struct TokenizerExtras {
    std::optional<std::string> bos, eos, unknown, padding;  ///< spelled out
    std::optional<bool> addBos, addEos;
    std::vector<AddedToken> added;
    std::vector<TokenId> endOfGeneration;
    std::string chatTemplate;
};

/// Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json, generation_config.json, config.json and
/// chat_template.jinja, those that exist.
Result<TokenizerExtras> readTokenizerExtras(const std::filesystem::path &folder);

} // namespace lens
