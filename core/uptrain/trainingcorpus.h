// The text of a run.
#pragma once

#include "base/progress.h"
#include "corpus/packedcorpus.h"
#include "uptrain/recipe.h"

#include <stop_token>

namespace lens {

/// Tokenised unless it was before. Errors: those of TokenCache::open() and PackedCorpus::create().
Result<PackedCorpus> openTrainingCorpus(const Recipe &recipe, const Tokenizer &tokenizer, std::stop_token stop,
                                        const ProgressFn &progress);

} // namespace lens
