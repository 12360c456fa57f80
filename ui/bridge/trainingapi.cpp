#include "bridge/trainingapi.h"

#include "engine/engine.h"

namespace lens {
namespace {

class LocalTrainingEngine : public TrainingEngine {
public:
    Result<TrainingEstimate> estimate(const Recipe &recipe) override { return estimateTraining(recipe); }

    Result<TrainingOutcome> train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener,
                                  TrainingControl &control, std::stop_token stop) override
    {
        return lens::train(recipe, mode, listener, control, stop);
    }

    std::string fingerprint(const std::string &folder) override
    {
        // Loading what was just written also shows that it can be loaded.
        const auto model = loadModel(folder, {});
        return model ? (*model)->info().fingerprint : std::string();
    }
};

} // namespace

std::unique_ptr<TrainingEngine> makeTrainingEngine()
{
    return std::make_unique<LocalTrainingEngine>();
}

} // namespace lens
