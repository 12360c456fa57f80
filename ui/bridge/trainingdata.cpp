#include "bridge/trainingdata.h"

#include "engine/specification.h"
#include "uptrain/runlog.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t PaceSteps = 50;

} // namespace

TrainingMetrics loggedMetrics(const std::string &folder)
{
    TrainingMetrics logged;
    const auto listener = measuringListener([&logged](const TrainingMetrics &metrics) { extend(logged, metrics); });
    static_cast<void>(replayRunLog(fs::path(folder) / "log.jsonl", listener));
    return logged;
}

bool holdsRun(const std::string &folder)
{
    std::error_code error;
    return fs::is_directory(folder, error);
}

bool holdsCheckpoint(const std::string &folder)
{
    // They get this name when they are complete.
    std::error_code error;
    fs::directory_iterator entries(fs::path(folder) / "checkpoints", error);
    return !error && std::any_of(fs::begin(entries), fs::end(entries), [](const fs::directory_entry &entry) {
        return entry.path().filename().string().starts_with("step-");
    });
}

bool holdsModel(const std::string &folder)
{
    std::error_code error;
    return fs::exists(fs::path(folder) / "model.safetensors", error) ||
           fs::exists(fs::path(folder) / "adapter.safetensors", error);
}

Result<Recipe> recipeOf(const TrainingRunRow &run)
{
    const auto json = nlohmann::json::parse(run.recipe, nullptr, false);
    if (json.is_discarded())
        return fail(ErrorCode::Malformed, "the stored recipe is damaged", run.folder,
                    "begin a new run with the recipe.json of this folder in mind");
    return recipeFromJson(json, run.folder + "/recipe.json");
}

std::string recipeText(const Recipe &recipe)
{
    return toJson(recipe).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

QString originalOf(const Recipe &recipe)
{
    if (!recipe.original.empty())
        return QString::fromStdString(recipe.original);
    const auto specification = parseSpecification(recipe.model);
    return specification && specification->conversion ? QString::fromStdString(specification->model) : QString();
}

double secondsLeft(const std::vector<StepMetrics> &steps, std::int64_t totalSteps)
{
    if (steps.size() < 2)
        return -1;
    const StepMetrics &last = steps.back();
    const StepMetrics &before = steps[steps.size() - 1 - std::min(PaceSteps, steps.size() - 1)];
    if (last.step <= before.step || last.seconds <= before.seconds)
        return -1;
    const double each = (last.seconds - before.seconds) / double(last.step - before.step);
    return each * double(std::max<std::int64_t>(0, totalSteps - last.step));
}

std::vector<double> smoothed(const std::vector<double> &values, double smoothing)
{
    if (smoothing <= 0)
        return values;
    std::vector<double> result;
    result.reserve(values.size());
    double mean = 0;
    double weight = 0;
    for (const double value : values) {
        if (std::isfinite(value)) {
            mean = smoothing * mean + (1 - smoothing) * value;
            weight = smoothing * weight + (1 - smoothing);
        }
        result.push_back(std::isfinite(value) ? mean / weight : value);
    }
    return result;
}

} // namespace lens
