// Training as the bridge calls it, behind an interface so that the window can be driven without a model.
#pragma once

#include "uptrain/uptrain.h"

#include <memory>
#include <string>

namespace lens {

/// Safe to call from several threads; nothing of it belongs on the GUI thread.
class TrainingEngine {
public:
    virtual ~TrainingEngine() = default;

    virtual Result<TrainingEstimate> estimate(const Recipe &recipe) = 0;
    virtual Result<TrainingOutcome> train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener,
                                          TrainingControl &control, std::stop_token stop) = 0;
    /// Of the weights in a run's folder, which are loaded for it; empty when that fails.
    virtual std::string fingerprint(const std::string &folder) = 0;
};

/// The trainer of core/uptrain.
std::unique_ptr<TrainingEngine> makeTrainingEngine();

} // namespace lens
