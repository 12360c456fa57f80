#include "cli/trainingoptions.h"

#include "base/words.h"
#include "cli/conversionwords.h"
#include "cli/models.h"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens::cli {

namespace {

const std::map<std::string, Objective> objectiveWords = {{"cross-entropy", Objective::CrossEntropy},
                                                         {"distillation", Objective::Distillation},
                                                         {"attention-transfer", Objective::AttentionTransfer}};
const std::map<std::string, Trainable> trainableWords = {
    {"all", Trainable::All}, {"feature-maps", Trainable::FeatureMaps}, {"adapter", Trainable::Adapter}};

bool applySetting(std::string_view key, std::string_view value, TrainingStage &stage)
{
    if (key == "steps")
        return parseNumber(value, stage.steps);
    if (key == "lr")
        return parseNumber(value, stage.learningRate);
    if (key == "final")
        return parseNumber(value, stage.finalLearningRate);
    if (key == "warmup")
        return parseNumber(value, stage.warmup);
    if (key == "cooldown")
        return parseNumber(value, stage.cooldown);
    if (key == "weight")
        return parseNumber(value, stage.distillationWeight);
    return key == "temperature" && parseNumber(value, stage.temperature);
}

Result<Recipe> readRecipe(const std::string &file)
{
    const auto text = readTextFile(file);
    if (!text)
        return propagate(text);
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_discarded())
        return fail(ErrorCode::Malformed, "the recipe is not JSON", file);
    return recipeFromJson(json, file);
}

/// The path by which the engine finds what was typed, conversions kept.
Result<std::string> resolved(const std::string &typed)
{
    const auto specification = specificationOf(typed);
    if (!specification)
        return propagate(specification);
    return specification->conversion.empty() ? specification->path : specification->path + "@" + specification->conversion;
}

} // namespace

Result<TrainingStage> parseStage(const std::string &text)
{
    TrainingStage stage;
    const std::vector<std::string_view> words = split(text, ':');
    const auto objective = objectiveWords.find(std::string(words[0]));
    if (objective == objectiveWords.end())
        return fail(ErrorCode::InvalidArgument, "unknown objective \"" + std::string(words[0]) + "\"", "--stage",
                    "use cross-entropy, distillation or attention-transfer");
    stage.objective = objective->second;
    if (stage.objective == Objective::AttentionTransfer)
        stage.trainable = Trainable::FeatureMaps;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::size_t equals = words[i].find('=');
        const auto trainable = trainableWords.find(std::string(words[i]));
        if (trainable != trainableWords.end())
            stage.trainable = trainable->second;
        else if (equals == std::string_view::npos || !applySetting(words[i].substr(0, equals), words[i].substr(equals + 1), stage))
            return fail(ErrorCode::InvalidArgument, "\"" + std::string(words[i]) + "\" is not understood", "--stage",
                        "use all, feature-maps, adapter, steps=, lr=, final=, warmup=, cooldown=, weight= or temperature=");
    }
    return stage;
}

template <class Get>
CLI::Option *TrainingArguments::add(CLI::App &command, const std::string &name, Get get, const std::string &help)
{
    CLI::Option *option = command.add_option(name, get(m_given), help)->option_text(" ");
    m_copies.emplace_back(option, [this, get](Recipe &recipe) { get(recipe) = get(m_given); });
    return option;
}

template <class Value>
CLI::Option *TrainingArguments::addOfStage(CLI::App &command, const std::string &name, Value TrainingStage::*member,
                                           const std::string &help)
{
    CLI::Option *option = command.add_option(name, m_stage.*member, help)->option_text(" ");
    m_stageCopies.emplace_back(option, [this, member](TrainingStage &stage) { stage.*member = m_stage.*member; });
    return option;
}

void TrainingArguments::addTo(CLI::App &command)
{
    addWhat(command);
    addConversion(command);
    addStages(command);
    addHow(command);
    addWatching(command);
}

void TrainingArguments::addWhat(CLI::App &command)
{
    add(command, "model", [](Recipe &r) -> auto & { return r.model; }, "The model to train, with its conversion: MODEL@supra")
        ->option_text("MODEL");
    command.add_option("--recipe", m_recipeFile, "A recipe.json; what is given beside it outranks it")->option_text("FILE");
    add(command, "--from-scratch", [](Recipe &r) -> auto & { return r.scratch; }, "Train a new model of this configuration")
        ->option_text("CONFIG.json");
    add(command, "--tokenizer", [](Recipe &r) -> auto & { return r.tokenizer; }, "With --from-scratch: the tokenizer's file")
        ->option_text("FILE");
    add(command, "--original", [](Recipe &r) -> auto & { return r.original; },
        "The softmax model to learn from and compare with (default: MODEL before its conversion)")
        ->option_text("MODEL");
    add(command, "--data", [](Recipe &r) -> auto & { return r.data.files; }, "Text or .jsonl files, also .gz")->option_text("FILE...");
    add(command, "--text-field", [](Recipe &r) -> auto & { return r.data.textField; }, "Of JSON lines (text)");
    add(command, "--separator", [](Recipe &r) -> auto & { return r.data.separator; },
        "The line that ends a document in a text file (<|endoftext|>)");
    add(command, "--held-out", [](Recipe &r) -> auto & { return r.data.heldOut; }, "Share of documents kept for evaluation (0.02)");
    add(command, "--cache", [](Recipe &r) -> auto & { return r.data.cacheFolder; }, "Where token caches are kept")->option_text("DIR");
    CLI::Option *out =
        add(command, "--out", [](Recipe &r) -> auto & { return r.out; }, "The folder of the run")->option_text("DIR");
    command.add_option("--export-job", m_exportJob, "Do not train: write a job for open_lm's trainer on a cluster")
        ->option_text("DIR")
        ->excludes(out);
}

void TrainingArguments::addConversion(CLI::App &command)
{
    m_toOption = command.add_option("--to", m_conversion.target, "Convert first: supra, t2r or linear")
                     ->transform(oneOf(targetWords))->option_text(" ");
    m_decayOption = command.add_option("--decay", m_decay, "With --to: lightning, retnet or none")
                        ->transform(oneOf(decayWords))->option_text(" ");
    command.add_option("--feature-map", m_conversion.featureMap, "With --to: relu, relu-per-head, elu1 or hedgehog")
        ->transform(oneOf(featureMapWords))->option_text(" ");
    command.add_option("--init", m_conversion.init, "With --to: random or identity")
        ->transform(oneOf(initWords))->option_text(" ");
    addConversionLists(command, m_conversion);
    for (const char *name : {"--decay", "--feature-map", "--init", "--layers", "--gammas"})
        command.get_option(name)->needs(m_toOption);
}

void TrainingArguments::addStages(CLI::App &command)
{
    command.add_option("--stage", m_stageWords, "A stage, again for each: OBJECTIVE[:TRAINABLE][:steps=N][:lr=X][:final=X]"
                                                "[:warmup=N][:cooldown=N]")->option_text("STAGE");
    addOfStage(command, "--steps", &TrainingStage::steps, "Steps of a single stage, as all that follows, also of a recipe's");
    addOfStage(command, "--objective", &TrainingStage::objective, "cross-entropy, distillation or attention-transfer")
        ->transform(oneOf(objectiveWords));
    addOfStage(command, "--train", &TrainingStage::trainable, "all, feature-maps or adapter")->transform(oneOf(trainableWords));
    addOfStage(command, "--lr", &TrainingStage::learningRate, "Peak learning rate (3e-4)");
    addOfStage(command, "--final-lr", &TrainingStage::finalLearningRate, "Learning rate at the end of the cosine (1e-5)");
    addOfStage(command, "--warmup", &TrainingStage::warmup, "Steps of linear rise");
    addOfStage(command, "--cooldown", &TrainingStage::cooldown, "Last steps, down to zero");
}

void TrainingArguments::addHow(CLI::App &command)
{
    add(command, "--sequence-length", [](Recipe &r) -> auto & { return r.sequenceLength; }, "Tokens of a sequence (512)");
    add(command, "--batch", [](Recipe &r) -> auto & { return r.batch; }, "Sequences of a step (8)");
    add(command, "--micro-batch", [](Recipe &r) -> auto & { return r.microBatch; }, "Sequences in memory at once");
    add(command, "--seed", [](Recipe &r) -> auto & { return r.seed; },
        "Of new weights and of the order of the data; MODEL@supra has its own: MODEL@supra:seed=N");
    add(command, "--weight-decay", [](Recipe &r) -> auto & { return r.optimiser.weightDecay; }, "AdamW (0.1)");
    add(command, "--beta1", [](Recipe &r) -> auto & { return r.optimiser.beta1; }, "AdamW (0.9)");
    add(command, "--beta2", [](Recipe &r) -> auto & { return r.optimiser.beta2; }, "AdamW (0.95)");
    add(command, "--clip", [](Recipe &r) -> auto & { return r.optimiser.clip; }, "Largest gradient norm (1); 0: no limit");
    add(command, "--lora-rank", [](Recipe &r) -> auto & { return r.lora.rank; }, "Of an adapter (8)");
    add(command, "--lora-alpha", [](Recipe &r) -> auto & { return r.lora.alpha; }, "Of an adapter (16)");
    add(command, "--lora-targets", [](Recipe &r) -> auto & { return r.lora.targets; }, "q, k, v, out, gate, up, down")
        ->delimiter(',');
    add(command, "--learn-decay", [](Recipe &r) -> auto & { return r.learnDecay; }, "Train the decays too (true or false)");
    add(command, "--learn-scale", [](Recipe &r) -> auto & { return r.learnScale; },
        "Train a scale per channel behind the GroupNorm (true or false)");
    add(command, "--recompute", [](Recipe &r) -> auto & { return r.recompute; }, "Save memory by computing activations twice");
    add(command, "--save-dtype", [](Recipe &r) -> auto & { return r.saveDtype; }, "Of the result: float32, bfloat16, float16");
    add(command, "--adapter-storage", [](Recipe &r) -> auto & { return r.adapterStorage; },
        "Of a result that is an adapter: float32, float16 (default) or int8");
}

void TrainingArguments::addWatching(CLI::App &command)
{
    add(command, "--checkpoint-every", [](Recipe &r) -> auto & { return r.checkpointEvery; }, "Steps (100)");
    add(command, "--keep", [](Recipe &r) -> auto & { return r.keepCheckpoints; }, "Checkpoints kept (2)");
    add(command, "--evaluate-every", [](Recipe &r) -> auto & { return r.evaluateEvery; }, "Steps (100)");
    add(command, "--evaluation-tokens", [](Recipe &r) -> auto & { return r.evaluationTokens; }, "Held-out tokens (16384)");
    add(command, "--sample-every", [](Recipe &r) -> auto & { return r.sampleEvery; }, "Steps; 0: never");
    add(command, "--sample-prompt", [](Recipe &r) -> auto & { return r.samplePrompt; }, "The text that samples continue");
    add(command, "--sample-tokens", [](Recipe &r) -> auto & { return r.sampleTokens; }, "Tokens of a sample (64)");
}

/// --stage replaces all stages of the recipe; --steps, --lr and the like change the only one there is.
Result<void> TrainingArguments::applyStages(Recipe &recipe) const
{
    if (!m_stageWords.empty())
        recipe.stages.clear();
    for (const std::string &words : m_stageWords) {
        const auto stage = parseStage(words);
        if (!stage)
            return propagate(stage);
        recipe.stages.push_back(*stage);
    }
    for (const auto &[option, copy] : m_stageCopies) {
        if (option->count() == 0)
            continue;
        if (recipe.stages.size() > 1)
            return fail(ErrorCode::InvalidArgument,
                        "there are " + std::to_string(recipe.stages.size()) + " stages, and this option is of a single one",
                        option->get_name(), "say it in --stage, once for each stage");
        recipe.stages.resize(1);
        copy(recipe.stages.front());
    }
    return {};
}

Result<Recipe> recipeFrom(const TrainingArguments &arguments, const CommonOptions &common)
{
    Recipe recipe;
    if (!arguments.m_recipeFile.empty()) {
        auto stored = readRecipe(arguments.m_recipeFile);
        if (!stored)
            return propagate(stored);
        recipe = std::move(*stored);
    }
    for (const auto &[option, copy] : arguments.m_copies)
        if (option->count() > 0)
            copy(recipe);
    if (arguments.m_toOption->count() > 0) {
        ConvertOptions conversion = arguments.m_conversion;
        if (arguments.m_decayOption->count() > 0)
            conversion.decay = arguments.m_decay;
        conversion.seed = recipe.seed;
        (recipe.scratch.empty() ? recipe.model : recipe.scratch) += "@" + toString(conversion);
    }
    if (auto applied = arguments.applyStages(recipe); !applied)
        return propagate(applied);
    for (std::string *model : {&recipe.model, &recipe.original})
        if (!model->empty()) {
            const auto found = resolved(*model);
            if (!found)
                return propagate(found);
            *model = *found;
        }
    if (!arguments.m_exportJob.empty())
        recipe.out = arguments.m_exportJob;
    if (common.load.dtype != "auto")
        recipe.dtype = common.load.dtype;
    if (common.load.device != "auto")
        recipe.device = common.load.device;
    if (auto valid = validate(recipe); !valid)
        return propagate(valid);
    return recipe;
}

} // namespace lens::cli
