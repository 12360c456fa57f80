// What a run measured, as the window puts it together. Plain functions.
#pragma once

#include "store/trainingwriter.h"
#include "uptrain/recipe.h"

#include <QString>

#include <vector>

namespace lens {

/// What the log in a run's folder holds, be it more than the workspace has: a killed program had no time to store its last
/// second. Empty when there is no log.
TrainingMetrics loggedMetrics(const std::string &folder);

/// The folder is still there; with a checkpoint the run goes on from that, without one from its beginning.
bool holdsRun(const std::string &folder);
bool holdsCheckpoint(const std::string &folder);
/// There is a model in that folder: a run's result.
bool holdsModel(const std::string &folder);

/// The recipe of a stored run. Malformed when it is none.
Result<Recipe> recipeOf(const TrainingRunRow &run);
std::string recipeText(const Recipe &recipe);

/// The softmax model that a run is compared with; empty when it trains from scratch.
QString originalOf(const Recipe &recipe);

/// Seconds until the last step, by the pace of the latest steps; negative while it is unknown.
double secondsLeft(const std::vector<StepMetrics> &steps, std::int64_t totalSteps);

/// Exponential moving average with weight `smoothing` (0: none) on what was before; the bias of the beginning is taken
/// out (Adam, arXiv 1412.6980, section 3). Values that are not finite stay as they are and do not count.
std::vector<double> smoothed(const std::vector<double> &values, double smoothing);

} // namespace lens
