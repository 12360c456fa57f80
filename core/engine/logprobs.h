// Log probabilities under the model's own distribution: temperature 1, before bias and penalties.
#pragma once

#include "text/tokenizer.h"

#include <span>
#include <vector>

namespace lens {

/// Natural logarithm of the sum of exp(logits), safe from overflow.
double logSumExp(std::span<const float> logits);

/// The `count` greatest logits' ids, greatest first; the lower id first among equals.
std::vector<TokenId> mostProbable(std::span<const float> logits, std::size_t count);

} // namespace lens
