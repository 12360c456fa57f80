// What stands in the texts of a job for open_lm.
#pragma once

#include "uptrain/recipe.h"
#include "uptrain/shards.h"

namespace lens {

struct JobPlan {
    ShardPlan train, heldOut;
    std::int64_t epochs = 0;          ///< open_lm's word for the stretch from one of its checkpoints to the next
    std::int64_t epochSequences = 0;
};

/// A bash script: torchrun with the recipe's hyperparameters, then the result beside its configuration.
std::string jobScript(const Recipe &recipe, const JobPlan &plan);

std::string jobReadme(const Recipe &recipe, const JobPlan &plan);

} // namespace lens
