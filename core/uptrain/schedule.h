// The learning rate over a stage.
#pragma once

#include "uptrain/recipe.h"

namespace lens {

/// For step 0, 1, ... of the stage: a linear rise over `warmup` steps, a cosine from the peak to the final rate, and a
/// straight line from there to zero over the last `cooldown` steps.
double learningRateAt(const TrainingStage &stage, std::int64_t step);

} // namespace lens
