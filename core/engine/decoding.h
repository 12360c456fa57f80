// How a sequence grows token by token: on the host, or on a GPU one step ahead of it.
#pragma once

#include "engine/sampling.h"
#include "engine/sequencerunner.h"

#include <memory>
#include <utility>

namespace lens {

struct ChosenToken {
    TokenId id = 0;
    float logprob = 0;                                    ///< as TokenEvent::logprob
    std::vector<std::pair<TokenId, float>> alternatives;  ///< most probable first, with the same logarithms
    std::uint64_t stateBytes = 0;                         ///< of the sequence without it
};

/// What decoding works with, all of which outlives it. The runner knows its logits.
struct DecodingParts {
    SequenceRunner &runner;
    const SamplingOptions &sampling;
    std::int64_t usable = 0;        ///< ids from here on are never chosen
    std::int64_t alternatives = 0;  ///< reported with each token
    std::span<HeadCollector> collectors;
    std::stop_token stop;
};

class Decoding {
public:
    virtual ~Decoding() = default;

    /// The token after what the sequence holds; the sequence stays as it is. `isLast` promises that the token will not
    /// be kept, whatever it is. Errors: those of chooseToken().
    virtual Result<ChosenToken> next(bool isLast) = 0;

    /// Makes that token part of the sequence. When stopped, or after an error, it is not.
    virtual Result<Fed> keep() = 0;
};

enum class ChooseOn { Host, Device };

/// Where tokens of a model on `device` are chosen if nobody says otherwise.
ChooseOn placeToChoose(const at::Device &device);

/// The sequence is what was kept, with its logits, once the result is destroyed again.
std::unique_ptr<Decoding> makeDecoding(ChooseOn where, DecodingParts parts);

} // namespace lens
