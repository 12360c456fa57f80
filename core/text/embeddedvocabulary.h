// A vocabulary as it lies inside a GGUF or llama2.c file: plain data, handed from the checkpoint to the tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lens {

struct EmbeddedVocabulary {
    enum class Kind {
        SentencePiece,  ///< GGUF "llama": merge the pair with the highest score, byte fallback
        ByteLevelBpe,   ///< GGUF "gpt2": merges by rank over byte-mapped code points
    };

    Kind kind = Kind::SentencePiece;
    std::vector<std::string> tokens;
    std::vector<float> scores;            ///< SentencePiece; empty or one per token
    std::vector<std::int32_t> types;      ///< 1 normal 2 unknown 3 control 4 user defined 5 unused 6 byte; may be empty
    std::vector<std::string> merges;      ///< ByteLevelBpe: "left right", lowest rank first
    std::string preTokenizer;             ///< GGUF tokenizer.ggml.pre: "default", "gpt-2", "smollm", "llama-bpe", ...
    std::optional<std::int32_t> bos, eos, unknown, padding;
    bool addBos = true;
    bool addEos = false;
    bool addSpacePrefix = true;
    std::string chatTemplate;             ///< Jinja source; empty when there is none
};

} // namespace lens
