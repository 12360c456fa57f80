#include "uptrain/uptrain.h"

#include "engine/engine.h"
#include "engine/specification.h"
#include "model/decoder.h"
#include "tensor/torchbridge.h"
#include "uptrain/scratch.h"
#include "uptrain/trainingmodels.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr double kGzipRatio = 3.5;         // text
constexpr double kBytesPerToken = 3.5;     // of text, for vocabularies of some thousands
constexpr double kShareOfMatrixSpeed = 0.3;  // what a training step reaches of a large matrix product's speed

struct Shape {
    ModelInfo info;
    bool linear = false;
};

Result<Shape> shapeOf(const Recipe &recipe)
{
    if (recipe.scratch.empty()) {
        const auto specification = parseSpecification(recipe.model);
        if (!specification)
            return propagate(specification);
        auto info = inspectModel(specification->model);
        if (!info)
            return propagate(info);
        return Shape{std::move(*info), specification->conversion.has_value()};
    }
    const auto tokenizer = loadTokenizerFile(recipe.tokenizer);
    if (!tokenizer)
        return propagate(tokenizer);
    const auto specification = parseSpecification(recipe.scratch);
    if (!specification)
        return propagate(specification);
    const auto config = scratchConfig(specification->model, static_cast<std::int64_t>((*tokenizer)->size()));
    if (!config)
        return propagate(config);
    return Shape{describe(*config, 4), specification->conversion.has_value()};
}

/// SUPRA's full maps, an upper bound of the other kinds.
std::uint64_t featureMapParameters(const ModelInfo &info)
{
    const auto square = [](std::int64_t n) { return static_cast<std::uint64_t>(n) * static_cast<std::uint64_t>(n + 1); };
    const std::uint64_t keys = info.kvHeads == info.heads ? 0 : square(info.kvHeads * info.keyDim);
    return static_cast<std::uint64_t>(info.layerCount) * (square(info.heads * info.keyDim) + keys);
}

std::uint64_t loraParameters(const ModelInfo &info, const LoraOptions &lora)
{
    const std::int64_t D = info.hiddenSize, q = info.heads * info.keyDim, k = info.kvHeads * info.keyDim,
                       v = info.kvHeads * info.valueDim, o = info.heads * info.valueDim, F = info.feedForward;
    std::int64_t sum = 0;
    for (const std::string &target : lora.targets)
        sum += target == "q" ? D + q : target == "k" ? D + k : target == "v" ? D + v : target == "out" ? D + o : D + F;
    return static_cast<std::uint64_t>(sum * lora.rank * info.layerCount);
}

/// What the run would refuse, too; see checkTrainable().
Result<void> checkRank(const ModelInfo &info, const LoraOptions &lora)
{
    for (const std::string &target : lora.targets) {
        const std::int64_t other = target == "q" ? info.heads * info.keyDim : target == "k" ? info.kvHeads * info.keyDim
                                   : target == "v" ? info.kvHeads * info.valueDim : target == "out" ? info.heads * info.valueDim
                                                                                                    : info.feedForward;
        const std::int64_t most = std::min(info.hiddenSize, other);
        if (most > 0 && lora.rank > most)
            return fail(ErrorCode::InvalidArgument, "a low-rank change of rank " + std::to_string(lora.rank)
                        + " is larger than the projection \"" + target + "\", which has rank " + std::to_string(most), "recipe",
                        "choose a smaller rank");
    }
    return {};
}

bool trainsAll(const Recipe &recipe)
{
    return std::any_of(recipe.stages.begin(), recipe.stages.end(),
                       [](const TrainingStage &stage) { return stage.trainable == Trainable::All; });
}

bool usesAdapter(const Recipe &recipe)
{
    return std::any_of(recipe.stages.begin(), recipe.stages.end(),
                       [](const TrainingStage &stage) { return stage.trainable == Trainable::Adapter; });
}

std::uint64_t activationBytes(const Recipe &recipe, const ModelInfo &info, std::uint64_t element)
{
    const std::int64_t rows = recipe.microBatch > 0 ? std::min(recipe.microBatch, recipe.batch) : recipe.batch;
    const auto tokens = static_cast<std::uint64_t>(rows * recipe.sequenceLength);
    const auto D = static_cast<std::uint64_t>(info.hiddenSize), F = static_cast<std::uint64_t>(info.feedForward);
    const auto layers = static_cast<std::uint64_t>(info.layerCount);
    const std::uint64_t perLayer = element * (6 * D + 3 * F) + 4 * 6 * D;  // projections in the dtype, mixers in float32
    const std::uint64_t kept = recipe.recompute ? layers * D * element + perLayer : layers * perLayer;
    const std::uint64_t logits = std::min<std::uint64_t>(tokens, 1024) * static_cast<std::uint64_t>(info.vocabulary) * 4 * 3;
    return tokens * kept + logits;
}

/// Floating-point operations a second of a matrix product of the size that training has.
double measuredSpeed(const Recipe &recipe, std::int64_t width)
{
    const at::ScalarType type = scalarType(recipe.dtype);
    const std::int64_t n = std::clamp<std::int64_t>(width, 64, 1024), rows = 1024;
    const at::Tensor a = at::ones({rows, n}, at::kFloat).to(type), b = at::ones({n, n}, at::kFloat).to(type);
    at::linear(a, b);
    const auto begin = std::chrono::steady_clock::now();
    double seconds = 0;
    int count = 0;
    for (; seconds < 0.3; ++count) {
        at::linear(a, b);
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return 2.0 * static_cast<double>(rows * n * n) * count / seconds;
}

double operations(const Recipe &recipe, const ModelInfo &info, double trained)
{
    const auto parameters = static_cast<double>(info.parameters);
    double sum = 0;
    for (const TrainingStage &stage : recipe.stages) {
        const double tokens = static_cast<double>(stage.steps * recipe.batch * recipe.sequenceLength);
        const double weights = stage.trainable == Trainable::All ? parameters : std::min(trained, parameters);
        double perToken = 4 * parameters + 2 * weights;
        if (stage.objective == Objective::AttentionTransfer)
            perToken = 2 * parameters + 6 * weights;
        if (stage.objective == Objective::Distillation)
            perToken += 2 * parameters;
        sum += perToken * tokens;
    }
    return sum;
}

double textBytes(const TrainingData &data)
{
    double sum = 0;
    for (const std::string &file : data.files) {
        std::error_code error;
        const auto size = fs::file_size(file, error);
        if (!error)
            sum += static_cast<double>(size) * (file.ends_with(".gz") ? kGzipRatio : 1.0);
    }
    return sum;
}

std::string gibibytes(std::uint64_t bytes)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (1024.0 * 1024 * 1024));
    return text;
}

std::uint64_t freeSpace(const std::string &folder)
{
    std::error_code error;
    fs::path place = fs::absolute(folder, error);
    while (!place.empty() && !fs::exists(place, error) && place != place.root_path())
        place = place.parent_path();
    const fs::space_info space = fs::space(place, error);
    return error ? 0 : space.available;
}

void addWarnings(TrainingEstimate &estimate, const Recipe &recipe)
{
    if (estimate.availableMemory > 0 && estimate.memory > estimate.availableMemory)
        estimate.warnings.push_back("the run needs about " + gibibytes(estimate.memory) + " of memory, " + gibibytes(estimate.availableMemory)
                                    + " are free: use a smaller micro-batch, recomputation or an adapter");
    if (estimate.availableDisk > 0 && estimate.disk > estimate.availableDisk)
        estimate.warnings.push_back("the run needs about " + gibibytes(estimate.disk) + " of disk, " + gibibytes(estimate.availableDisk)
                                    + " are free: keep fewer checkpoints, or choose another folder");
    std::error_code error;
    for (const std::string &file : recipe.data.files)
        if (!fs::exists(file, error))
            estimate.warnings.push_back("the file " + file + " is not there");
    const double corpus = textBytes(recipe.data) / kBytesPerToken;
    const double wanted = static_cast<double>(totalSteps(recipe) * recipe.batch * recipe.sequenceLength);
    if (corpus > 0 && wanted > 4 * corpus)
        estimate.warnings.push_back("the run reads its data about " + std::to_string(static_cast<int>(wanted / corpus))
                                    + " times: more text would serve it better");
    if (recipe.scratch.empty() && recipe.model.find('@') != std::string::npos && recipe.model.find(":identity") == std::string::npos)
        estimate.warnings.push_back("feature maps begin at random: the model talks nonsense until it is uptrained");
}

} // namespace

Result<TrainingEstimate> estimateTraining(const Recipe &recipe)
{
    if (auto valid = validate(recipe); !valid)
        return propagate(valid);
    return guarded("estimate", [&]() -> Result<TrainingEstimate> {
        const auto shape = shapeOf(recipe);
        if (!shape)
            return propagate(shape);
        const ModelInfo &info = shape->info;
        if (usesAdapter(recipe))
            if (auto fits = checkRank(info, recipe.lora); !fits)
                return propagate(fits);
        TrainingEstimate estimate;
        const std::uint64_t maps = shape->linear ? featureMapParameters(info) : 0;
        estimate.parameters = info.parameters + maps;
        estimate.trained = trainsAll(recipe) ? estimate.parameters : maps + (usesAdapter(recipe) ? loraParameters(info, recipe.lora) : 0);
        const std::uint64_t element = recipe.dtype == "bfloat16" ? 2 : 4;
        const bool original = shape->linear || !recipe.original.empty();
        // Masters, their gradients and two moments; what the decoder has instead of them, and its gradients.
        estimate.memory = estimate.trained * (4 * 4 + 2 * element) + estimate.parameters * element
                          + (original ? info.parameters * element : 0) + info.parameters * 4 + activationBytes(recipe, info, element);
        const auto device = chooseDevice(recipe.device);
        for (const DeviceInfo &candidate : availableDevices())
            if (device && candidate.device == device->device)
                estimate.availableMemory = candidate.availableMemory;
        const std::uint64_t result = (trainsAll(recipe) ? estimate.parameters : estimate.trained) * (recipe.saveDtype == "float32" ? 4 : 2);
        estimate.disk = estimate.trained * 12 * static_cast<std::uint64_t>(recipe.keepCheckpoints + 1) + result
                        + static_cast<std::uint64_t>(textBytes(recipe.data) / kBytesPerToken * (info.vocabulary > 65536 ? 4 : 2));
        estimate.availableDisk = freeSpace(recipe.out);
        estimate.floatingOperations = operations(recipe, info, static_cast<double>(estimate.trained));
        estimate.seconds = estimate.floatingOperations / (measuredSpeed(recipe, info.hiddenSize) * kShareOfMatrixSpeed);
        addWarnings(estimate, recipe);
        return estimate;
    });
}

} // namespace lens
