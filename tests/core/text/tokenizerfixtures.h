// The golden rows of tests/data/tokenizers.
#pragma once

#include "text/tokenizer.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace fixtures {

inline std::string path(const std::string &name)
{
    return std::string(SUPRALENS_TEST_DATA) + "/tokenizers/" + name;
}

inline std::string readFile(const std::string &file)
{
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

inline nlohmann::json readJson(const std::string &name)
{
    return nlohmann::json::parse(readFile(path(name)));
}

/// What a StreamDecoder makes of `ids`; `whole` becomes false when it ever emitted part of a character.
inline std::string streamed(const lens::TokenizerPtr &tokenizer, const std::vector<lens::TokenId> &ids,
                            bool skipSpecial, bool &whole)
{
    lens::StreamDecoder decoder(tokenizer, skipSpecial);
    std::string text;
    for (const lens::TokenId id : ids) {
        const std::string part = decoder.push(id);
        whole = whole && lens::isValidUtf8(part);
        text += part;
    }
    const std::string rest = decoder.finish();
    whole = whole && lens::isValidUtf8(rest);
    return text + rest;
}

inline std::vector<lens::TokenId> randomIds(std::mt19937 &random, std::size_t vocabulary, std::size_t count)
{
    std::vector<lens::TokenId> ids(count);
    for (lens::TokenId &id : ids)
        id = static_cast<lens::TokenId>(random() % vocabulary);
    return ids;
}

} // namespace fixtures
