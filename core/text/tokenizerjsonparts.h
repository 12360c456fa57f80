// The pipeline parts of tokenizer.json, each from its JSON.
#pragma once

#include "text/bpetokenizer.h"

#include <nlohmann/json.hpp>

namespace lens {

/// Each returns Unsupported naming the part that is not known. A null `json` gives an empty pipeline.
Result<Normalizer> readNormalizer(const nlohmann::json &json, const std::string &where);
Result<PreTokenizer> readPreTokenizer(const nlohmann::json &json, const std::string &where);

struct DecoderParts {
    BpeParts::Spelling spelling = BpeParts::Spelling::SpaceSymbol;
    DecodeStyle style;
};
Result<DecoderParts> readDecoder(const nlohmann::json &json, const std::string &where);

struct Affixes {
    bool isTemplate = false;  ///< the file itself says what is put around a text
    std::vector<TokenId> prefix, suffix;
};
Result<Affixes> readPostProcessor(const nlohmann::json &json, const std::string &where);

} // namespace lens
