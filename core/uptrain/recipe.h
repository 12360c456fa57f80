// What a training run is asked to do. Plain data, kept as recipe.json in the run's folder, so that a run can be
// resumed and repeated. Method, initialisation and defaults: "Linearizing Large Language Models" (arXiv 2405.06640).
#pragma once

#include "base/result.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

enum class Objective {
    CrossEntropy,       ///< next-token cross-entropy, the paper's
    Distillation,       ///< KL(original || model) on logits, mixed with cross-entropy
    AttentionTransfer,  ///< each linear layer's output against the softmax layer's, on the original's own hidden states
};

enum class Trainable {
    All,          ///< every weight, the paper's
    FeatureMaps,  ///< feature maps, with output scales and decays where the recipe makes them learnable
    Adapter,      ///< the same and low-rank changes (LoRA, arXiv 2106.09685) of the projections
};

std::string_view name(Objective objective);  ///< "cross-entropy", "distillation", "attention-transfer"
std::string_view name(Trainable trainable);  ///< "all", "feature-maps", "adapter"

/// Stages run one after the other, each with its own schedule and a fresh optimiser.
struct TrainingStage {
    Objective objective = Objective::CrossEntropy;
    Trainable trainable = Trainable::All;
    std::int64_t steps = 0;
    double learningRate = 3e-4;       ///< peak
    double finalLearningRate = 1e-5;  ///< at the end of the cosine
    std::int64_t warmup = 0;          ///< steps of linear rise
    std::int64_t cooldown = 0;        ///< last steps, linear from the cosine's end to zero
    double distillationWeight = 1.0;  ///< share of KL in the loss of Objective::Distillation; the rest is cross-entropy
    double temperature = 1.0;         ///< of both distributions in the KL

    bool operator==(const TrainingStage &) const = default;
};

struct TrainingData {
    std::vector<std::string> files;             ///< text, .jsonl, each also .gz; in this order
    std::string textField = "text";             ///< of JSON lines
    std::string separator = "<|endoftext|>";    ///< a line of a text file that ends a document; empty: a file is one
    double heldOut = 0.02;                      ///< share of the documents, from the end, kept for evaluation
    std::string cacheFolder;                    ///< tokenised once into here; empty: the user's cache folder

    bool operator==(const TrainingData &) const = default;
};

/// AdamW (arXiv 1711.05101). Weight decay is for matrices only: no biases, norms, decays, embeddings.
struct OptimiserOptions {
    double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1;
    double clip = 1.0;  ///< largest global gradient norm; 0 = no limit

    bool operator==(const OptimiserOptions &) const = default;
};

struct LoraOptions {
    std::int64_t rank = 8;
    double alpha = 16;                                   ///< the change is alpha / rank * B A
    std::vector<std::string> targets{"q", "k", "v", "out"};  ///< also "gate", "up", "down"

    bool operator==(const LoraOptions &) const = default;
};

struct Recipe {
    std::string model;      ///< specification, as loadModel() takes it; "@supra..." converts it first
    std::string scratch;    ///< a decoder configuration (JSON file) to train from scratch instead of `model`
    std::string tokenizer;  ///< with `scratch`: the tokenizer file
    std::string original;   ///< the softmax model to compare with or learn from; empty: `model` before its conversion

    TrainingData data;
    std::vector<TrainingStage> stages;
    std::int64_t sequenceLength = 512;  ///< tokens
    std::int64_t batch = 8;             ///< sequences of a step, over all processes
    std::int64_t microBatch = 0;        ///< sequences in memory at once; 0 = all of a process's share
    OptimiserOptions optimiser;
    LoraOptions lora;
    bool learnDecay = false;            ///< decays of the linear layers are trained too (a variant of SUPRA)
    bool learnScale = false;            ///< a scale per channel behind the GroupNorm, folded into the output projection
    std::string dtype = "float32";      ///< of the computation: float32 or bfloat16; master weights are float32
    std::string saveDtype = "float32";  ///< of the result's weights: float32, bfloat16 or float16
    std::string adapterStorage = "float16";  ///< of a result that is an adapter: float32, float16 or int8
    std::string device = "auto";
    bool recompute = false;             ///< activations of a block are computed again for its backward pass
    std::uint64_t seed = 0;

    std::int64_t checkpointEvery = 100;  ///< steps; 0 = only at the end
    std::int64_t keepCheckpoints = 2;
    std::int64_t evaluateEvery = 100;    ///< steps; 0 = only at the beginning and the end
    std::int64_t evaluationTokens = 16384;
    std::int64_t sampleEvery = 0;        ///< steps; 0 = never
    std::string samplePrompt;
    std::int64_t sampleTokens = 64;
    std::string out;                     ///< the run's folder

    bool operator==(const Recipe &) const = default;
};

/// Everything that can be said without opening a file: positive sizes, known words, a batch that divides.
Result<void> validate(const Recipe &recipe);

nlohmann::json toJson(const Recipe &recipe);
/// Missing keys take their defaults; unknown ones and wrong types are ErrorCode::Malformed.
Result<Recipe> recipeFromJson(const nlohmann::json &json, const std::string &where);

/// No stage trains all weights, so that the result is an adapter to the unchanged base.
bool makesAdapter(const Recipe &recipe);

/// Steps of all stages.
std::int64_t totalSteps(const Recipe &recipe);

} // namespace lens
