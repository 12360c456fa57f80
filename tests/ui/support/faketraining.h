// A trainer without weights: curves as those of a real run, at a chosen pace.
#pragma once

#include "bridge/trainingapi.h"

#include <atomic>
#include <chrono>

namespace lens {

class FakeTraining : public TrainingEngine {
public:
    std::chrono::milliseconds pause{1}; ///< for each step
    std::int64_t failsAt = 0;           ///< the loss is not a number from this step on; 0 = never
    std::int64_t resumesFrom = 0;       ///< the step of the checkpoint that is found
    std::atomic<bool> failsToExport = false; ///< exportNow() finds no room
    bool leavesFiles = false;           ///< empty ones, with the names that a run leaves in its folder
    std::atomic<int> estimates = 0;
    TrainingEstimate answer;            ///< of estimate()
    Result<void> refusal;               ///< estimate() fails with it

    FakeTraining();

    Result<TrainingEstimate> estimate(const Recipe &recipe) override;
    Result<TrainingOutcome> train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener,
                                  TrainingControl &control, std::stop_token stop) override;
    std::string fingerprint(const std::string &) override { return "5afe00000000000000000000000c0de5"; }
};

StepMetrics fakeStep(const Recipe &recipe, std::int64_t step);
EvaluationMetrics fakeEvaluation(std::int64_t step);
LayerMetrics fakeLayers(std::int64_t step);
SampleMetrics fakeSample(std::int64_t step);

/// Two stages, 120 steps in all, evaluated every tenth.
Recipe fakeRecipe(const std::string &folder = "/runs/tiny-supra");

} // namespace lens
