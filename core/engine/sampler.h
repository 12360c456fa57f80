// Choosing the next token from logits. Pure functions: what is drawn depends only on the arguments.
//
// The steps and their order are those of Hugging Face transformers, with llama.cpp's penalties:
//   1. logit bias is added
//   2. repetition penalty: positive logits of seen tokens are divided by it, others multiplied; then
//      frequencyPenalty * occurrences and presencePenalty are subtracted (seen: in the last penaltyWindow tokens,
//      prompt included)
//   3. division by the temperature; temperature 0 takes the greatest logit instead and ends here, the lowest id
//      winning ties
//   4. top-k, then top-p among what is left (the smallest set of most probable tokens whose share reaches p), then
//      min-p (tokens at least minP times as probable as the most probable one)
//   5. one draw from the softmax of what is left
#pragma once

#include "base/result.h"
#include "engine/sampling.h"
#include "text/tokenizer.h"

#include <span>
#include <vector>

namespace lens {

struct Candidate {
    TokenId id = 0;
    double logit = 0;        ///< after bias, penalties and temperature
    double probability = 0;  ///< among the candidates; sums to one
};

/// ErrorCode::InvalidArgument for options outside their range, or a bias on an id outside the vocabulary.
Result<void> checkSampling(const SamplingOptions &options, std::int64_t vocabulary);

/// What step 5 draws from, in the order it walks through: ascending ids when nothing was cut, else most probable
/// first. One candidate when the temperature is 0. Options must have passed checkSampling().
/// ErrorCode::Internal when a logit is NaN or infinite, naming the position; ErrorCode::InvalidArgument when the bias
/// leaves no token.
Result<std::vector<Candidate>> candidates(std::span<const float> logits, std::span<const TokenId> history,
                                          const SamplingOptions &options);

/// The next token after `history`. The random number depends on the seed and the position (history.size()) alone, so
/// a text continued later is the text that one long call would have given.
Result<TokenId> chooseToken(std::span<const float> logits, std::span<const TokenId> history,
                            const SamplingOptions &options);

/// The errors of candidates().
tl::unexpected<Error> logitNotFinite(TokenId id, std::size_t position);
tl::unexpected<Error> everyTokenForbidden();

/// In [0, 1), 53 bits; the same on every machine.
double uniformAt(std::uint64_t seed, std::uint64_t position);

} // namespace lens
