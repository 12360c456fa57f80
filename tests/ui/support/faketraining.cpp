#include "ui/support/faketraining.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

namespace lens {
namespace {

constexpr std::int64_t layerCount = 6;
constexpr std::int64_t headCount = 6;

/// Deterministic noise in [-1, 1].
double noise(std::int64_t seed)
{
    const double wave = std::sin(double(seed) * 12.9898) * 43758.5453;
    return 2 * (wave - std::floor(wave)) - 1;
}

std::int64_t stageOf(const Recipe &recipe, std::int64_t step)
{
    std::int64_t stage = 0;
    for (std::int64_t end = recipe.stages[0].steps; step > end && stage + 1 < std::int64_t(recipe.stages.size());)
        end += recipe.stages[std::size_t(++stage)].steps;
    return stage;
}

void leave(const std::string &folder, const char *name)
{
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(folder) / "checkpoints" / "step-00000010", error);
    std::ofstream(std::filesystem::path(folder) / name);
}

} // namespace

FakeTraining::FakeTraining()
{
    answer.parameters = 2900000;
    answer.trained = 2900000;
    answer.memory = 412000000;
    answer.availableMemory = 6100000000;
    answer.disk = 96000000;
    answer.availableDisk = 51000000000;
    answer.floatingOperations = 4.2e13;
    answer.seconds = 720;
}

Result<TrainingEstimate> FakeTraining::estimate(const Recipe &)
{
    ++estimates;
    if (!refusal)
        return tl::unexpected<Error>(refusal.error());
    return answer;
}

StepMetrics fakeStep(const Recipe &recipe, std::int64_t step)
{
    StepMetrics metrics;
    metrics.step = step;
    metrics.stage = stageOf(recipe, step);
    metrics.loss = 1.9 + 4.2 * std::exp(-double(step) / 25) + 0.12 * noise(step);
    metrics.gradientNorm = 0.6 + 2.5 * std::exp(-double(step) / 15) + 0.2 * noise(step + 1000);
    metrics.learningRate = 3e-4 * std::min(1.0, double(step) / 10) * (0.55 + 0.45 * std::cos(double(step) / 40));
    metrics.tokens = step * recipe.batch * recipe.sequenceLength;
    metrics.seconds = 0.4 * double(step);
    metrics.tokensPerSecond = double(recipe.batch * recipe.sequenceLength) / 0.4 * (1 + 0.05 * noise(step + 2000));
    return metrics;
}

EvaluationMetrics fakeEvaluation(std::int64_t step)
{
    return {step, 16384, 8.4 + 900 * std::exp(-double(step) / 20), 8.1};
}

LayerMetrics fakeLayers(std::int64_t step)
{
    LayerMetrics metrics{step, layerCount, headCount, {}, {}, {}};
    for (std::int64_t layer = 0; layer < layerCount; ++layer) {
        metrics.largestActivation.push_back(float(2.0 + 1.5 * double(layer) + 0.3 * noise(step + layer)));
        const bool converted = layer != 2;
        const double closeness = 1 - 0.8 * std::exp(-double(step) / (20.0 + 8.0 * double(layer)));
        metrics.outputError.push_back(converted ? float(1 - 0.9 * closeness) : std::numeric_limits<float>::quiet_NaN());
        for (std::int64_t head = 0; head < headCount; ++head)
            metrics.headFidelity.push_back(converted ? float(closeness - 0.05 * double(head % 3))
                                                     : std::numeric_limits<float>::quiet_NaN());
    }
    return metrics;
}

SampleMetrics fakeSample(std::int64_t step)
{
    const char *text = step == 0   ? " the the the cat of of boat boat the"
                       : step < 60 ? " there was a dog. The dog was was big and the dog run to the park."
                                   : " there was a little dog who liked to play. One day, he saw a red ball.";
    return {step, "Once upon a time", text,
            " there was a little girl named Lily. She loved to play outside in the park."};
}

Result<TrainingOutcome> FakeTraining::train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener,
                                            TrainingControl &control, std::stop_token stop)
{
    const std::int64_t steps = totalSteps(recipe);
    if (leavesFiles)
        leave(recipe.out, "recipe.json");
    std::int64_t step = mode == ResumeMode::Resume ? resumesFrom : 0;
    const auto measure = [&] {
        listener.evaluation(fakeEvaluation(step));
        listener.layers(fakeLayers(step));
        listener.sample(fakeSample(step));
    };
    listener.progress({"tokenising", 400000, 1000000});
    if (step == 0)
        measure();
    while (step < steps && !control.wantsToStop()) {
        if (!control.waitWhilePaused(stop))
            return fail(ErrorCode::Cancelled, "the training was stopped");
        if (control.takeExportRequest()) {
            if (failsToExport)
                listener.exportFailed({ErrorCode::Io, "there is no room left", recipe.out + "/now", "make room"});
            else
                listener.exported(recipe.out + "/now");
        }
        std::this_thread::sleep_for(pause);
        StepMetrics metrics = fakeStep(recipe, ++step);
        if (failsAt > 0 && step >= failsAt) {
            metrics.loss = metrics.gradientNorm = std::numeric_limits<double>::quiet_NaN();
            metrics.skipped = true;
            listener.notice({step, "step " + std::to_string(step) + " was skipped: the loss is not finite"});
        }
        listener.step(metrics);
        listener.progress({"training", std::uint64_t(step), std::uint64_t(steps)});
        if (failsAt > 0 && step >= failsAt + 3)
            return fail(ErrorCode::InvalidArgument, "the loss was not finite four times in a row", recipe.out,
                        "lower the learning rate; the checkpoint of step 10 is kept");
        if (recipe.evaluateEvery > 0 && step % recipe.evaluateEvery == 0)
            measure();
    }
    if (leavesFiles)
        leave(recipe.out, "model.safetensors");
    return TrainingOutcome{step, step == steps, 0, fakeEvaluation(step).perplexity, 8.1, recipe.out};
}

Recipe fakeRecipe(const std::string &folder)
{
    Recipe recipe;
    recipe.model = "/models/tiny.gguf@supra";
    recipe.data.files = {"/texts/stories.txt.gz"};
    recipe.stages.resize(2);
    recipe.stages[0] = {Objective::AttentionTransfer, Trainable::FeatureMaps, 40, 1e-3, 1e-5, 4, 0, 1, 1};
    recipe.stages[1] = {Objective::CrossEntropy, Trainable::All, 80, 3e-4, 1e-5, 8, 0, 1, 1};
    recipe.sequenceLength = 128;
    recipe.evaluateEvery = 10;
    recipe.sampleEvery = 10;
    recipe.samplePrompt = "Once upon a time";
    recipe.out = folder;
    return recipe;
}

} // namespace lens
