// A training run as a job for open_lm's own FSDP trainer, for models that one machine is too small for.
//
//   model/            epoch_0.pt, model_config.json and the tokenizer's files: what training begins with. open_lm's result
//                     (epoch_N.pt), put beside them, opens as a model
//   train/, heldout/  tokenised text: NNNNNNNN.tar and manifest.jsonl, see uptrain/shards.h
//   recipe.json       what was asked; run.sh, the launch line; README.md
#pragma once

#include "base/progress.h"
#include "uptrain/recipe.h"

#include <stop_token>

namespace lens {

struct ExportedJob {
    std::string folder;
    std::int64_t trainingSequences = 0;
    std::int64_t trainingShards = 0;
    std::int64_t heldOutSequences = 0;
    std::int64_t heldOutShards = 0;
};

/// Writes the sequences that the recipe's steps would take, in their order, and some more: open_lm gives each of its
/// data loaders whole shards and drops what does not divide. Recipe::out is not used.
/// ErrorCode::Unsupported for what open_lm's trainer cannot do (more than one stage, other objectives than cross-entropy
/// on all weights, learned decays and scales) or its format cannot express; ErrorCode::InvalidArgument when `folder` holds
/// a job already.
Result<ExportedJob> exportJob(const Recipe &recipe, const std::string &folder, std::stop_token stop = {},
                              const ProgressFn &progress = {});

} // namespace lens
