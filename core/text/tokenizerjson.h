// tokenizer.json of Hugging Face tokenizers: models of type BPE, byte-level or with byte fallback.
#pragma once

#include "text/tokenizerextras.h"

#include <nlohmann/json.hpp>

namespace lens {

/// Unsupported, naming the part, for normalizers, pre-tokenizers, post-processors, decoders and models that are not
/// known here; Malformed for what contradicts itself.
Result<TokenizerPtr> makeJsonTokenizer(std::string_view file, const TokenizerExtras &extras, const std::string &where);

/// An entry of added_tokens; `id` and `content` are required.
Result<AddedToken> readAddedToken(const nlohmann::json &entry, const std::string &where);

} // namespace lens
