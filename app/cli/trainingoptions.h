// From the command line of `uptrain` to a recipe.
#pragma once

#include "cli/commandline.h"
#include "convert/conversion.h"
#include "uptrain/recipe.h"

#include <functional>
#include <string>
#include <vector>

namespace lens::cli {

/// Options given on the command line outrank those of the recipe file, which outrank the defaults.
class TrainingArguments {
public:
    /// Adds the options to `command`; this object must outlive it.
    void addTo(CLI::App &command);

    /// The folder to write a job for open_lm into, instead of training; empty: train.
    const std::string &exportJob() const { return m_exportJob; }

private:
    friend Result<Recipe> recipeFrom(const TrainingArguments &arguments, const CommonOptions &common);

    template <class Get>
    CLI::Option *add(CLI::App &command, const std::string &name, Get get, const std::string &help);
    template <class Value>
    CLI::Option *addOfStage(CLI::App &command, const std::string &name, Value TrainingStage::*member, const std::string &help);
    void addWhat(CLI::App &command);
    void addConversion(CLI::App &command);
    void addHow(CLI::App &command);
    void addStages(CLI::App &command);
    void addWatching(CLI::App &command);
    Result<void> applyStages(Recipe &recipe) const;

    Recipe m_given;
    std::vector<std::pair<CLI::Option *, std::function<void(Recipe &)>>> m_copies;
    std::string m_recipeFile;
    std::string m_exportJob;
    std::vector<std::string> m_stageWords;
    TrainingStage m_stage;  ///< of --steps, --lr and the like
    std::vector<std::pair<CLI::Option *, std::function<void(TrainingStage &)>>> m_stageCopies;
    CLI::Option *m_toOption = nullptr;
    ConvertOptions m_conversion;
    DecayKind m_decay = DecayKind::Lightning;
    CLI::Option *m_decayOption = nullptr;
};

Result<Recipe> recipeFrom(const TrainingArguments &arguments, const CommonOptions &common);

/// "cross-entropy:all:steps=1000:lr=3e-4:final=1e-5:warmup=100:cooldown=50"; for distillation also "weight=0.5" and
/// "temperature=2".
Result<TrainingStage> parseStage(const std::string &text);

} // namespace lens::cli
