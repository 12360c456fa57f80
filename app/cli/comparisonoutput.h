// A comparison as text for the terminal and as JSON.
#pragma once

#include "cli/comparison.h"
#include "cli/json.h"

#include <string>

namespace lens::cli {

/// "softmax, 5 layers x 8 heads, F32".
std::string describe(const ModelInfo &info);

/// The line above a column's text.
std::string columnHeading(const ComparedColumn &column);

/// Speed, memory, first difference and KL of one turn.
std::string turnSummary(const Comparison &comparison, const ComparedTurn &turn);

/// "token 3: ' was' / ' had'"; "none" when the answers are the same.
std::string describeDifference(const ComparedTurn &turn, const PairResult &pair);

/// "1 token", "12 tokens".
std::string countOf(std::size_t count, const std::string &noun);

/// Tokens per second; "n/a" where one token or none was decoded.
std::string rateOf(const GenerationResult &result);

/// The prompt on one line, cut to 60 characters.
std::string sessionTitle(const std::string &prompt);

Json toJson(const Comparison &comparison);

} // namespace lens::cli
