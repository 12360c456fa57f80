// A few words from a model that is being trained.
#pragma once

#include "model/languagemodel.h"
#include "text/tokenizer.h"

#include <stop_token>

namespace lens {

/// Greedy continuation of a text, `tokens` tokens at most.
Result<std::string> continueGreedily(LanguageModelPtr model, TokenizerPtr tokenizer, const std::string &prompt, std::int64_t tokens,
                                     std::stop_token stop);

} // namespace lens
