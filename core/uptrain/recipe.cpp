#include "uptrain/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace lens {

namespace {

using Json = nlohmann::json;

constexpr std::array objectives{Objective::CrossEntropy, Objective::Distillation, Objective::AttentionTransfer};
constexpr std::array trainables{Trainable::All, Trainable::FeatureMaps, Trainable::Adapter};
constexpr std::array<std::string_view, 7> loraTargets{"q", "k", "v", "out", "gate", "up", "down"};

/// Reads the members of one JSON object into variables that hold the defaults; remembers the first thing wrong.
class Fields {
public:
    Fields(const Json &json, std::string where) : m_json(json), m_where(std::move(where))
    {
        if (!json.is_object())
            m_error = Error{ErrorCode::Malformed, "an object was expected", m_where, {}};
    }

    template <class T>
    Fields &operator()(const char *key, T &value)
    {
        m_known.emplace_back(key);
        if (m_error || !m_json.contains(key))
            return *this;
        if (!fits(m_json[key], value))
            m_error = Error{ErrorCode::Malformed, "the value has the wrong type", m_where + ", " + key, {}};
        else
            value = m_json[key].get<T>();
        return *this;
    }

    template <class Enum, std::size_t N>
    Fields &oneOf(const char *key, Enum &value, const std::array<Enum, N> &values)
    {
        std::string word(name(value));
        (*this)(key, word);
        const auto found = std::find_if(values.begin(), values.end(), [&](Enum candidate) { return name(candidate) == word; });
        if (found != values.end())
            value = *found;
        else if (!m_error)
            m_error = Error{ErrorCode::Malformed, "the word \"" + word + "\" is not known", m_where + ", " + key, {}};
        return *this;
    }

    /// Takes a member that is read elsewhere.
    const Json *member(const char *key)
    {
        m_known.emplace_back(key);
        return !m_error && m_json.contains(key) ? &m_json[key] : nullptr;
    }

    Result<void> finish() const
    {
        if (m_error)
            return tl::unexpected<Error>(*m_error);
        for (const auto &[key, value] : m_json.items())
            if (std::find(m_known.begin(), m_known.end(), key) == m_known.end())
                return fail(ErrorCode::Malformed, "the key \"" + key + "\" is not known", m_where);
        return {};
    }

private:
    static bool fits(const Json &json, const std::string &) { return json.is_string(); }
    static bool fits(const Json &json, bool) { return json.is_boolean(); }
    static bool fits(const Json &json, double) { return json.is_number(); }
    static bool fits(const Json &json, std::int64_t) { return json.is_number_integer(); }
    static bool fits(const Json &json, std::uint64_t) { return json.is_number_unsigned(); }
    static bool fits(const Json &json, const std::vector<std::string> &)
    {
        return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json &item) { return item.is_string(); });
    }

    const Json &m_json;
    std::string m_where;
    std::vector<std::string> m_known;
    std::optional<Error> m_error;
};

Json toJson(const TrainingStage &stage)
{
    return {{"objective", name(stage.objective)}, {"trainable", name(stage.trainable)}, {"steps", stage.steps},
            {"learning_rate", stage.learningRate}, {"final_learning_rate", stage.finalLearningRate},
            {"warmup", stage.warmup}, {"cooldown", stage.cooldown},
            {"distillation_weight", stage.distillationWeight}, {"temperature", stage.temperature}};
}

Result<TrainingStage> stageFromJson(const Json &json, const std::string &where)
{
    TrainingStage stage;
    Fields fields(json, where);
    fields.oneOf("objective", stage.objective, objectives).oneOf("trainable", stage.trainable, trainables);
    fields("steps", stage.steps)("learning_rate", stage.learningRate)("final_learning_rate", stage.finalLearningRate);
    fields("warmup", stage.warmup)("cooldown", stage.cooldown);
    fields("distillation_weight", stage.distillationWeight)("temperature", stage.temperature);
    if (auto read = fields.finish(); !read)
        return propagate(read);
    return stage;
}

Result<void> readParts(Recipe &recipe, Fields &fields, const std::string &where)
{
    if (const Json *json = fields.member("data")) {
        Fields data(*json, where + ", data");
        data("files", recipe.data.files)("text_field", recipe.data.textField)("separator", recipe.data.separator);
        data("held_out", recipe.data.heldOut)("cache_folder", recipe.data.cacheFolder);
        if (auto read = data.finish(); !read)
            return read;
    }
    if (const Json *json = fields.member("optimiser")) {
        Fields optimiser(*json, where + ", optimiser");
        OptimiserOptions &options = recipe.optimiser;
        optimiser("beta1", options.beta1)("beta2", options.beta2)("epsilon", options.epsilon);
        optimiser("weight_decay", options.weightDecay)("clip", options.clip);
        if (auto read = optimiser.finish(); !read)
            return read;
    }
    if (const Json *json = fields.member("lora")) {
        Fields lora(*json, where + ", lora");
        lora("rank", recipe.lora.rank)("alpha", recipe.lora.alpha)("targets", recipe.lora.targets);
        if (auto read = lora.finish(); !read)
            return read;
    }
    if (const Json *json = fields.member("stages")) {
        if (!json->is_array())
            return fail(ErrorCode::Malformed, "a list was expected", where + ", stages");
        for (std::size_t i = 0; i < json->size(); ++i) {
            auto stage = stageFromJson((*json)[i], where + ", stages[" + std::to_string(i) + "]");
            if (!stage)
                return propagate(stage);
            recipe.stages.push_back(*stage);
        }
    }
    return {};
}

Result<void> wrong(const std::string &what, const std::string &advice = {})
{
    return fail(ErrorCode::InvalidArgument, what, "recipe", advice);
}

Result<void> validateStage(const TrainingStage &stage, bool hasOriginal)
{
    if (stage.steps < 1)
        return wrong("a stage has no steps");
    if (!(stage.learningRate > 0) || !(stage.finalLearningRate >= 0) || !std::isfinite(stage.learningRate)
        || stage.finalLearningRate > stage.learningRate)
        return wrong("a learning rate must be positive, and the final one not above it");
    if (stage.warmup < 0 || stage.cooldown < 0 || stage.warmup + stage.cooldown > stage.steps)
        return wrong("warm-up and cool-down do not fit into the steps of their stage");
    if (!(stage.distillationWeight >= 0 && stage.distillationWeight <= 1) || !(stage.temperature > 0))
        return wrong("the distillation weight must be in 0..1 and its temperature positive");
    if (!hasOriginal && stage.objective != Objective::CrossEntropy)
        return wrong("a model trained from scratch has no original to learn from", "use cross-entropy, or name an original");
    if (stage.objective == Objective::AttentionTransfer && stage.trainable != Trainable::FeatureMaps)
        return wrong("attention transfer trains feature maps only", "choose \"feature-maps\" for this stage");
    return {};
}

} // namespace

std::string_view name(Objective objective)
{
    switch (objective) {
    case Objective::CrossEntropy: return "cross-entropy";
    case Objective::Distillation: return "distillation";
    case Objective::AttentionTransfer: return "attention-transfer";
    }
    return "unknown";
}

std::string_view name(Trainable trainable)
{
    switch (trainable) {
    case Trainable::All: return "all";
    case Trainable::FeatureMaps: return "feature-maps";
    case Trainable::Adapter: return "adapter";
    }
    return "unknown";
}

Result<void> validate(const Recipe &recipe)
{
    if (recipe.model.empty() == recipe.scratch.empty())
        return wrong("either a model or a configuration to train from scratch is needed");
    if (!recipe.scratch.empty() && recipe.tokenizer.empty())
        return wrong("training from scratch needs a tokenizer", "train one with train-tokenizer");
    if (recipe.data.files.empty())
        return wrong("there are no data files");
    if (!(recipe.data.heldOut > 0 && recipe.data.heldOut < 1))
        return wrong("the held-out share must be between 0 and 1");
    if (recipe.stages.empty())
        return wrong("there are no stages");
    for (const TrainingStage &stage : recipe.stages) {
        if (auto valid = validateStage(stage, recipe.scratch.empty() || !recipe.original.empty()); !valid)
            return valid;
        if (!recipe.scratch.empty() && stage.trainable != Trainable::All)
            return wrong("training from scratch trains all weights");
    }
    const auto hasStage = [&](Trainable trainable) {
        return std::any_of(recipe.stages.begin(), recipe.stages.end(),
                           [trainable](const TrainingStage &stage) { return stage.trainable == trainable; });
    };
    if (hasStage(Trainable::All) && hasStage(Trainable::Adapter))
        return wrong("an adapter leaves the base as it is, so no other stage may train all weights");
    if (recipe.sequenceLength < 2 || recipe.batch < 1 || recipe.microBatch < 0)
        return wrong("sequences have at least two tokens, and a batch at least one sequence");
    const OptimiserOptions &adam = recipe.optimiser;
    if (!(adam.beta1 >= 0 && adam.beta1 < 1 && adam.beta2 >= 0 && adam.beta2 < 1 && adam.epsilon > 0
          && adam.weightDecay >= 0 && adam.clip >= 0))
        return wrong("the optimiser's betas must be in 0..1, its epsilon positive, weight decay and clipping not negative");
    if (recipe.lora.rank < 1 || !(recipe.lora.alpha > 0))
        return wrong("the rank and alpha of an adapter must be positive");
    for (const std::string &target : recipe.lora.targets)
        if (std::find(loraTargets.begin(), loraTargets.end(), target) == loraTargets.end())
            return wrong("\"" + target + "\" is no projection", "choose from q, k, v, out, gate, up, down");
    if (recipe.dtype != "float32" && recipe.dtype != "bfloat16")
        return wrong("training computes in float32 or bfloat16");
    if (recipe.saveDtype != "float32" && recipe.saveDtype != "bfloat16" && recipe.saveDtype != "float16")
        return wrong("weights are saved as float32, bfloat16 or float16");
    if (recipe.adapterStorage != "float32" && recipe.adapterStorage != "float16" && recipe.adapterStorage != "int8")
        return wrong("adapters are saved as float32, float16 or int8");
    if (recipe.checkpointEvery < 0 || recipe.keepCheckpoints < 1 || recipe.evaluateEvery < 0 || recipe.evaluationTokens < 1
        || recipe.sampleEvery < 0 || recipe.sampleTokens < 1)
        return wrong("intervals must not be negative, and at least one checkpoint is kept");
    if (recipe.out.empty())
        return wrong("there is no folder to write to");
    return {};
}

nlohmann::json toJson(const Recipe &recipe)
{
    Json stages = Json::array();
    for (const TrainingStage &stage : recipe.stages)
        stages.push_back(toJson(stage));
    const TrainingData &data = recipe.data;
    const OptimiserOptions &adam = recipe.optimiser;
    return {{"model", recipe.model}, {"scratch", recipe.scratch}, {"tokenizer", recipe.tokenizer}, {"original", recipe.original},
            {"data", {{"files", data.files}, {"text_field", data.textField}, {"separator", data.separator},
                      {"held_out", data.heldOut}, {"cache_folder", data.cacheFolder}}},
            {"stages", stages}, {"sequence_length", recipe.sequenceLength}, {"batch", recipe.batch},
            {"micro_batch", recipe.microBatch},
            {"optimiser", {{"beta1", adam.beta1}, {"beta2", adam.beta2}, {"epsilon", adam.epsilon},
                           {"weight_decay", adam.weightDecay}, {"clip", adam.clip}}},
            {"lora", {{"rank", recipe.lora.rank}, {"alpha", recipe.lora.alpha}, {"targets", recipe.lora.targets}}},
            {"learn_decay", recipe.learnDecay}, {"learn_scale", recipe.learnScale}, {"dtype", recipe.dtype},
            {"save_dtype", recipe.saveDtype}, {"adapter_storage", recipe.adapterStorage}, {"device", recipe.device},
            {"recompute", recipe.recompute}, {"seed", recipe.seed},
            {"checkpoint_every", recipe.checkpointEvery}, {"keep_checkpoints", recipe.keepCheckpoints},
            {"evaluate_every", recipe.evaluateEvery}, {"evaluation_tokens", recipe.evaluationTokens},
            {"sample_every", recipe.sampleEvery}, {"sample_prompt", recipe.samplePrompt},
            {"sample_tokens", recipe.sampleTokens}, {"out", recipe.out}};
}

Result<Recipe> recipeFromJson(const nlohmann::json &json, const std::string &where)
{
    Recipe recipe;
    Fields fields(json, where);
    fields("model", recipe.model)("scratch", recipe.scratch)("tokenizer", recipe.tokenizer)("original", recipe.original);
    if (auto read = readParts(recipe, fields, where); !read)
        return propagate(read);
    fields("sequence_length", recipe.sequenceLength)("batch", recipe.batch)("micro_batch", recipe.microBatch);
    fields("learn_decay", recipe.learnDecay)("learn_scale", recipe.learnScale)("dtype", recipe.dtype);
    fields("save_dtype", recipe.saveDtype)("adapter_storage", recipe.adapterStorage)("device", recipe.device);
    fields("recompute", recipe.recompute)("seed", recipe.seed);
    fields("checkpoint_every", recipe.checkpointEvery)("keep_checkpoints", recipe.keepCheckpoints);
    fields("evaluate_every", recipe.evaluateEvery)("evaluation_tokens", recipe.evaluationTokens);
    fields("sample_every", recipe.sampleEvery)("sample_prompt", recipe.samplePrompt)("sample_tokens", recipe.sampleTokens);
    fields("out", recipe.out);
    if (auto read = fields.finish(); !read)
        return propagate(read);
    return recipe;
}

bool makesAdapter(const Recipe &recipe)
{
    return std::none_of(recipe.stages.begin(), recipe.stages.end(),
                        [](const TrainingStage &stage) { return stage.trainable == Trainable::All; });
}

std::int64_t totalSteps(const Recipe &recipe)
{
    std::int64_t steps = 0;
    for (const TrainingStage &stage : recipe.stages)
        steps += stage.steps;
    return steps;
}

} // namespace lens
