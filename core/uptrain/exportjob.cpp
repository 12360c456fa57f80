#include "uptrain/exportjob.h"

#include "checkpoint/writer.h"
#include "tensor/torchbridge.h"
#include "uptrain/jobfiles.h"
#include "uptrain/shards.h"
#include "uptrain/trainingcorpus.h"
#include "uptrain/trainingmodels.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kShardsOfEpoch = 64;      // so many data loaders can share an epoch
constexpr std::int64_t kMostInShard = 8192;      // sequences
constexpr std::int64_t kMostHeldOut = 4096;      // sequences
constexpr const char *kParts[] = {"model", "heldout", "train"};
constexpr std::int64_t kSpareEpochs = 2;         // what loaders drop at the end of epochs, and begin once more

Result<void> unsupported(const std::string &what)
{
    return fail(ErrorCode::Unsupported, "open_lm's trainer has no " + what, "recipe",
                "use one stage of cross-entropy on all weights");
}

Result<void> expressible(const Recipe &recipe)
{
    if (recipe.stages.size() != 1)
        return unsupported("stages");
    if (recipe.stages.front().objective != Objective::CrossEntropy)
        return unsupported(std::string(name(recipe.stages.front().objective)));
    if (recipe.stages.front().trainable != Trainable::All)
        return unsupported("training of a part of the weights");
    if (recipe.learnDecay || recipe.learnScale)
        return unsupported("learned decays and scales");
    return {};
}

Result<void> prepareFolder(const fs::path &folder)
{
    std::error_code error;
    for (const char *part : kParts)
        if (fs::exists(folder / part, error))
            return fail(ErrorCode::InvalidArgument, "there is a job in this folder already", folder.string(), "choose another folder");
    fs::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder.string(), "choose another folder");
    return {};
}

/// open_lm trains at the sequence length that its model's configuration names.
Result<std::shared_ptr<const Decoder>> withContext(const Decoder &decoder, std::int64_t tokens)
{
    DecoderConfig config = decoder.config();
    config.trainedContext = tokens;
    return Decoder::create(std::move(config), decoder.weights(), "job", WeightCheck::ShapesOnly);
}

JobPlan planOf(const Recipe &recipe, const PackedCorpus &corpus)
{
    JobPlan plan;
    const std::int64_t steps = totalSteps(recipe);
    plan.epochs = std::min<std::int64_t>(10, steps);
    plan.epochSequences = (steps + plan.epochs - 1) / plan.epochs * recipe.batch;
    plan.train.length = plan.heldOut.length = recipe.sequenceLength + 1;
    plan.train.perShard = std::clamp<std::int64_t>(plan.epochSequences / kShardsOfEpoch, 1, kMostInShard);
    plan.train.sequences = plan.epochSequences * (plan.epochs + kSpareEpochs);
    plan.heldOut.sequences = std::min(corpus.heldOutSequences(), kMostHeldOut);
    plan.heldOut.perShard = std::min(plan.heldOut.sequences, kMostInShard);
    return plan;
}

Result<void> writeData(const fs::path &folder, const JobPlan &plan, const PackedCorpus &corpus, std::stop_token stop,
                       const ProgressFn &report)
{
    Progress progress{"writing shards", 0, static_cast<std::uint64_t>(plan.train.sequences + plan.heldOut.sequences)};
    const auto heldOut = [&](std::int64_t index, std::span<TokenId> out) { corpus.heldOutSequence(index, out); };
    const auto training = [&](std::int64_t index, std::span<TokenId> out) { corpus.trainingSequence(index, out); };
    if (auto written = writeShards(folder / "heldout", plan.heldOut, heldOut, stop, report, progress); !written)
        return written;
    return writeShards(folder / "train", plan.train, training, stop, report, progress);
}

Result<void> writeTexts(const fs::path &folder, const Recipe &recipe, const JobPlan &plan)
{
    if (auto written = writeFileAtomically(folder / "recipe.json", toJson(recipe).dump(1) + "\n"); !written)
        return written;
    if (auto written = writeFileAtomically(folder / "README.md", jobReadme(recipe, plan)); !written)
        return written;
    if (auto written = writeFileAtomically(folder / "run.sh", jobScript(recipe, plan)); !written)
        return written;
    std::error_code error;
    fs::permissions(folder / "run.sh", fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, error);
    return {};
}

Result<ExportedJob> writeJob(const Recipe &recipe, const std::string &folder, std::stop_token stop, const ProgressFn &progress)
{
    const auto models = openTrainingModels(recipe, stop, progress);
    if (!models)
        return propagate(models);
    const auto start = withContext(*models->start, recipe.sequenceLength);
    if (!start)
        return propagate(start);
    if (auto saved = saveTrained(*start, *models, recipe, (fs::path(folder) / "model").string(), SaveFormat::OpenLm); !saved)
        return propagate(saved);
    const auto corpus = openTrainingCorpus(recipe, *models->tokenizer, stop, progress);
    if (!corpus)
        return propagate(corpus);
    const JobPlan plan = planOf(recipe, *corpus);
    if (auto written = writeData(folder, plan, *corpus, stop, progress); !written)
        return propagate(written);
    if (auto written = writeTexts(folder, recipe, plan); !written)
        return propagate(written);
    return ExportedJob{folder, plan.train.sequences, plan.train.shards(), plan.heldOut.sequences, plan.heldOut.shards()};
}

} // namespace

Result<ExportedJob> exportJob(const Recipe &recipe, const std::string &folder, std::stop_token stop, const ProgressFn &progress)
{
    if (auto valid = validate(recipe); !valid)
        return propagate(valid);
    if (auto can = expressible(recipe); !can)
        return propagate(can);
    return guarded(folder, [&]() -> Result<ExportedJob> {
        if (auto prepared = prepareFolder(folder); !prepared)
            return propagate(prepared);
        auto job = guarded(folder, [&] { return writeJob(recipe, folder, stop, progress); });
        std::error_code ignored;
        for (const char *part : kParts)
            if (!job)
                fs::remove_all(fs::path(folder) / part, ignored);
        return job;
    });
}

} // namespace lens
