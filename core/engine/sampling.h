// How the next token is chosen.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lens {

struct SamplingOptions {
    double temperature = 0.0;          ///< 0 = greedy
    int topK = 0;                      ///< 0 = off
    double topP = 1.0;                 ///< 1 = off
    double minP = 0.0;                 ///< 0 = off
    double repetitionPenalty = 1.0;    ///< 1 = off; divides positive and multiplies negative logits of seen tokens
    double frequencyPenalty = 0.0;     ///< subtracted per occurrence
    double presencePenalty = 0.0;      ///< subtracted once
    int penaltyWindow = 64;            ///< tokens looked back for the penalties; 0 = all
    std::vector<std::pair<std::int32_t, double>> logitBias;
    std::uint64_t seed = 0;            ///< same seed, same text, on the same device and dtype

    bool operator==(const SamplingOptions &) const = default;
};

struct GenerationOptions {
    SamplingOptions sampling;
    std::int64_t maxTokens = 256;
    std::vector<std::string> stopStrings;  ///< not part of the result
    int alternatives = 5;                  ///< most probable tokens reported with each token
    bool ignoreEndOfText = false;
    bool plainPath = false;  ///< single tokens go the way of prompts, not through DecodeStep: slower, and its oracle

    bool operator==(const GenerationOptions &) const = default;
};

} // namespace lens
