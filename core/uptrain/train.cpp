#include "uptrain/uptrain.h"

#include "checkpoint/adapterfile.h"
#include "checkpoint/jsonfile.h"
#include "checkpoint/writer.h"
#include "tensor/torchbridge.h"
#include "uptrain/recipepaths.h"
#include "uptrain/trainer.h"
#include "uptrain/trainingcorpus.h"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

namespace fs = std::filesystem;

/// What may change between the beginning of a run and its continuation: how it is computed and watched, not what.
Recipe comparable(const Recipe &asked)
{
    const Recipe defaults;
    Recipe recipe = withAbsolutePaths(asked);
    recipe.out.clear();
    recipe.device = defaults.device;
    recipe.saveDtype = defaults.saveDtype;
    recipe.adapterStorage = defaults.adapterStorage;
    recipe.microBatch = defaults.microBatch;
    recipe.recompute = defaults.recompute;
    recipe.data.cacheFolder.clear();
    recipe.checkpointEvery = defaults.checkpointEvery;
    recipe.keepCheckpoints = defaults.keepCheckpoints;
    recipe.evaluateEvery = defaults.evaluateEvery;
    recipe.evaluationTokens = defaults.evaluationTokens;
    recipe.sampleEvery = defaults.sampleEvery;
    recipe.samplePrompt.clear();
    recipe.sampleTokens = defaults.sampleTokens;
    return recipe;
}

Result<void> sameRecipe(const fs::path &file, const Recipe &recipe)
{
    const auto json = readJsonObject(file);
    if (!json)
        return propagate(json);
    const auto stored = recipeFromJson(*json, file.string());
    if (!stored)
        return propagate(stored);
    if (comparable(*stored) != comparable(recipe))
        return fail(ErrorCode::Mismatch, "the run in this folder was begun with another recipe", file.string(),
                    "resume it with the recipe that lies there, or choose another folder");
    return {};
}

/// A recipe alone was left by a run that failed before it began, over a missing text for instance: it binds nobody.
bool holdsBegunRun(const fs::path &folder)
{
    std::error_code error;
    return fs::exists(folder / "recipe.json", error)
           && (fs::exists(folder / "log.jsonl", error) || !fs::is_empty(folder / "checkpoints", error));
}

/// The folder, with the recipe in it.
Result<void> prepareFolder(const Recipe &recipe, ResumeMode mode)
{
    const fs::path folder = recipe.out, file = folder / "recipe.json";
    std::error_code error;
    const bool begun = holdsBegunRun(folder);
    if (mode == ResumeMode::Fresh && begun)
        return fail(ErrorCode::InvalidArgument, "there is a run in this folder already", folder.string(),
                    "resume it, or choose another folder");
    if (mode == ResumeMode::Resume && begun)
        if (auto same = sameRecipe(file, recipe); !same)
            return same;
    fs::create_directories(folder / "checkpoints", error);
    if (error)
        return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder.string(), "choose another folder");
    return writeFileAtomically(file, toJson(recipe).dump(1) + "\n");
}

/// Those that a launcher started, or this one alone.
Result<std::unique_ptr<Distributed>> joinProcesses(const Recipe &recipe)
{
    const auto place = processPlace();
    if (!place)
        return propagate(place);
    if (recipe.batch % place->size != 0)
        return fail(ErrorCode::InvalidArgument, "a batch of " + std::to_string(recipe.batch) + " sequences cannot be split over "
                    + std::to_string(place->size) + " processes", "recipe", "choose a batch that is a multiple of it");
    const auto device = chooseDevice(recipe.device);
    if (!device)
        return propagate(device);
    return Distributed::join(*place, toTorch(device->device));
}

/// A run that has no checkpoint may be begun again only while nothing would be lost by it.
Result<void> mayBeginAnew(const fs::path &folder)
{
    bool stepped = false;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &) { stepped = true; };
    static_cast<void>(replayRunLog(folder / "log.jsonl", listener));
    std::error_code error;
    if (stepped || fs::exists(folder / "model.safetensors", error) || fs::exists(folder / adapterFileName, error))
        return fail(ErrorCode::InvalidArgument, "the run in this folder has left no checkpoint to go on from", folder.string(),
                    "begin it anew in another folder, or remove this one");
    return {};
}

/// A checkpoint is a file like any other: its position must be one that the recipe's run comes to.
Result<void> checkPosition(const RunPosition &position, const Recipe &recipe)
{
    std::int64_t before = 0, steps = 1;  // at the end of the last stage, no step is done of the one that would follow
    for (std::size_t i = 0; i < recipe.stages.size(); ++i)
        if (static_cast<std::int64_t>(i) < position.stage)
            before += recipe.stages[i].steps;
        else if (static_cast<std::int64_t>(i) == position.stage)
            steps = recipe.stages[i].steps;
    if (position.stage > static_cast<std::int64_t>(recipe.stages.size()) || position.stageStep >= steps
        || position.step != before + position.stageStep)
        return fail(ErrorCode::Mismatch, "the checkpoint's position is not one of the recipe's steps",
                    recipe.out + ", step " + std::to_string(position.step), "resume with the recipe that the run was begun with");
    return {};
}

Result<TrainingRun> openRun(const Recipe &recipe, ResumeMode mode, std::stop_token stop, const ProgressFn &progress)
{
    auto models = openTrainingModels(recipe, stop, progress);
    if (!models)
        return propagate(models);
    auto corpus = openTrainingCorpus(recipe, *models->tokenizer, stop, progress);
    if (!corpus)
        return propagate(corpus);
    const CheckpointFolder checkpoints(fs::path(recipe.out) / "checkpoints", recipe.keepCheckpoints);
    std::optional<RunCheckpoint> resumed;
    if (mode == ResumeMode::Resume) {
        auto newest = checkpoints.newest();
        if (!newest)
            return propagate(newest);
        resumed = std::move(*newest);
        if (auto can = resumed ? checkPosition(resumed->position, recipe) : mayBeginAnew(recipe.out); !can)
            return propagate(can);
    }
    return TrainingRun{recipe, std::move(*models), std::move(*corpus), checkpoints, std::move(resumed), nullptr};
}

} // namespace

Result<TrainingOutcome> train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener, TrainingControl &control,
                              std::stop_token stop)
{
    if (auto valid = validate(recipe); !valid)
        return propagate(valid);
    return guarded(recipe.out, [&]() -> Result<TrainingOutcome> {
        auto processes = joinProcesses(recipe);
        if (!processes)
            return propagate(processes);
        const bool first = (*processes)->isFirst();
        if (first)
            if (auto prepared = prepareFolder(recipe, mode); !prepared)
                return propagate(prepared);
        if (auto ready = (*processes)->barrier(); !ready)
            return propagate(ready);
        auto run = openRun(recipe, mode, stop, first ? listener.progress : ProgressFn());
        if (!run)
            return propagate(run);
        run->processes = std::move(*processes);
        const std::int64_t begun = run->resumed ? run->resumed->position.step : -1;
        const bool beginsAnew = mode == ResumeMode::Resume && !run->resumed && fs::exists(fs::path(recipe.out) / "log.jsonl");
        const TrainingListener silent;
        auto log = first ? RunLog::open(fs::path(recipe.out) / "log.jsonl", listener, begun) : RunLog::none(silent);
        if (!log)
            return propagate(log);
        if (beginsAnew)
            log->record(TrainingNotice{0, "there was no checkpoint to go on from, so the run begins anew"});
        auto trainer = Trainer::create(std::move(*run), std::move(*log), control);
        if (!trainer)
            return propagate(trainer);
        return (*trainer)->run(stop);
    });
}

} // namespace lens
