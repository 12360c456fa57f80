#include "uptrain/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lens {

double learningRateAt(const TrainingStage &stage, std::int64_t step)
{
    if (step < stage.warmup)
        return stage.learningRate * static_cast<double>(step + 1) / static_cast<double>(stage.warmup);
    const std::int64_t cosine = stage.steps - stage.warmup - stage.cooldown;
    const std::int64_t left = stage.steps - step;
    if (left <= stage.cooldown)
        return stage.finalLearningRate * static_cast<double>(left) / static_cast<double>(stage.cooldown + 1);
    const double done = static_cast<double>(step - stage.warmup) / static_cast<double>(std::max<std::int64_t>(cosine - 1, 1));
    return stage.finalLearningRate
           + 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0))) * (stage.learningRate - stage.finalLearningRate);
}

} // namespace lens
