#include "uptrain/trainingmodels.h"

#include "checkpoint/adapterfile.h"
#include "convert/convert.h"
#include "convert/export.h"
#include "engine/specification.h"
#include "tensor/torchbridge.h"
#include "uptrain/objectives.h"
#include "uptrain/scratch.h"
#include "uptrain/trainableweights.h"

#include <filesystem>

namespace lens {

namespace {

namespace fs = std::filesystem;

Result<std::shared_ptr<const Decoder>> decoderOf(const std::shared_ptr<const LanguageModel> &model, const std::string &where)
{
    auto decoder = std::dynamic_pointer_cast<const Decoder>(model);
    if (!decoder)
        return fail(ErrorCode::Unsupported, "only Llama, Mistral, open_lm models and their conversions can be trained", where);
    return decoder;
}

Result<std::shared_ptr<const Decoder>> moved(const std::shared_ptr<const Decoder> &decoder, const at::Device &device, at::ScalarType type)
{
    if (decoder->dtype() == type && decoder->device() == device)
        return decoder;
    NamedTensors weights;
    for (const auto &[name, weight] : decoder->weights())
        weights[name] = weight.to(device, type);
    return Decoder::create(decoder->config(), std::move(weights), "training", WeightCheck::ShapesOnly);
}

/// float32, since masters are made from it.
LoadOptions loadOptions(const Recipe &recipe)
{
    LoadOptions options;
    options.device = recipe.device;
    options.dtype = "float32";
    return options;
}

/// What the recipe names, or what the model was before its conversion, or the base of an adapted one.
Result<std::shared_ptr<const Decoder>> openOriginal(const Recipe &recipe, const LoadedModelPtr &converted, const LoadedModelPtr &source,
                                                    std::stop_token stop, const ProgressFn &progress)
{
    std::shared_ptr<const LanguageModel> model = source && source != converted ? source->model() : nullptr;
    const std::string named = recipe.original.empty() && !model && converted ? converted->info().base : recipe.original;
    if (!named.empty()) {
        const auto loaded = loadModel(named, loadOptions(recipe), stop, progress);
        if (!loaded)
            return propagate(loaded);
        model = (*loaded)->model();
    }
    if (!model)
        return std::shared_ptr<const Decoder>();
    const auto decoder = decoderOf(model, named.empty() ? recipe.model : named);
    if (!decoder)
        return propagate(decoder);
    return moved(*decoder, (*decoder)->device(), scalarType(recipe.dtype));
}

Result<void> comparable(const TrainingModels &models, const Recipe &recipe)
{
    bool needed = false, transfers = false;
    for (const TrainingStage &stage : recipe.stages) {
        needed = needed || stage.objective != Objective::CrossEntropy;
        transfers = transfers || stage.objective == Objective::AttentionTransfer;
    }
    if (needed && !models.original)
        return fail(ErrorCode::InvalidArgument, "distillation and attention transfer need the softmax original", "recipe",
                    "name it, or start from \"MODEL@supra\"");
    if (models.original
        && (models.original->config().vocabulary != models.start->config().vocabulary
            || models.original->config().layers.size() != models.start->config().layers.size()))
        return fail(ErrorCode::Mismatch, "the original has another vocabulary or number of layers than the model", recipe.original);
    if (transfers && !haveComparableMixers(*models.start, *models.original))
        return fail(ErrorCode::Mismatch, "attention transfer needs an original with the hidden size and heads of the model",
                    recipe.original, "use distillation, or another original");
    return {};
}

Result<TrainingModels> openExisting(const Recipe &recipe, std::stop_token stop, const ProgressFn &progress)
{
    const auto specification = parseSpecification(recipe.model);
    if (!specification)
        return propagate(specification);
    const auto source = loadModel(specification->adapter ? recipe.model : specification->model, loadOptions(recipe), stop, progress);
    if (!source)
        return propagate(source);
    const auto start = specification->conversion ? convertModel(*source, *specification->conversion, stop, progress)
                                                 : Result<LoadedModelPtr>(*source);
    if (!start)
        return propagate(start);
    TrainingModels models;
    models.loaded = *start;
    const auto inner = parseSpecification(specification->model);
    if (inner && !inner->conversion && (*source)->info().base.empty())
        models.base = (*source)->info();
    auto decoder = decoderOf((*start)->model(), recipe.model);
    if (!decoder)
        return propagate(decoder);
    models.start = std::move(*decoder);
    models.tokenizer = (*start)->tokenizer();
    if (!models.tokenizer)
        return fail(ErrorCode::Unsupported, "the model has no tokenizer, so it cannot read text", recipe.model,
                    "put its tokenizer file beside it");
    auto original = openOriginal(recipe, *start, *source, stop, progress);
    if (!original)
        return propagate(original);
    models.original = std::move(*original);
    return models;
}

Result<TrainingModels> makeFromScratch(const Recipe &recipe, std::stop_token stop, const ProgressFn &progress)
{
    TrainingModels models;
    auto tokenizer = loadTokenizerFile(recipe.tokenizer);
    if (!tokenizer)
        return propagate(tokenizer);
    models.tokenizer = std::move(*tokenizer);
    const auto specification = parseSpecification(recipe.scratch);
    if (!specification)
        return propagate(specification);
    const auto config = scratchConfig(specification->model, static_cast<std::int64_t>(models.tokenizer->size()));
    if (!config)
        return propagate(config);
    auto start = scratchDecoder(*config, recipe.seed);
    if (!start)
        return propagate(start);
    models.start = std::move(*start);
    if (specification->conversion) {
        const auto converted = convert(*models.start, *specification->conversion, stop, progress);
        if (!converted)
            return propagate(converted);
        models.start = std::static_pointer_cast<const Decoder>(*converted);
    }
    const auto device = chooseDevice(recipe.device);
    if (!device)
        return propagate(device);
    start = moved(models.start, toTorch(device->device), at::kFloat);
    if (!start)
        return propagate(start);
    models.start = std::move(*start);
    if (!recipe.original.empty()) {
        auto original = openOriginal(recipe, nullptr, nullptr, stop, progress);
        if (!original)
            return propagate(original);
        models.original = std::move(*original);
    }
    return models;
}

/// The file keeps the kind of name by which folders are searched for tokenizers.
Result<void> copyTokenizerFile(const fs::path &file, const fs::path &folder)
{
    std::error_code error;
    fs::copy_file(file, folder / ("tokenizer" + file.extension().string()), fs::copy_options::overwrite_existing, error);
    if (error)
        return fail(ErrorCode::Io, "the tokenizer cannot be copied: " + error.message(), file.string());
    return {};
}

} // namespace

at::ScalarType scalarType(const std::string &name)
{
    if (name == "bfloat16")
        return at::kBFloat16;
    return name == "float16" ? at::kHalf : at::kFloat;
}

Result<TrainingModels> openTrainingModels(const Recipe &recipe, std::stop_token stop, const ProgressFn &progress)
{
    auto models = recipe.scratch.empty() ? openExisting(recipe, stop, progress) : makeFromScratch(recipe, stop, progress);
    if (!models)
        return models;
    if (auto fits = comparable(*models, recipe); !fits)
        return propagate(fits);
    if (auto trainable = checkTrainable(*models->start, recipe); !trainable)
        return propagate(trainable);
    return models;
}

Result<double> saveTrainedAdapter(SupraAdapter adapter, const ModelInfo &base, const Recipe &recipe, const std::string &folder)
{
    const auto storage = parseAdapterStorage(recipe.adapterStorage);
    if (!storage)
        return propagate(storage);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder, "choose another folder");
    fs::path path = fs::absolute(base.path, error).lexically_normal();
    if (!path.has_filename())
        path = path.parent_path();
    adapter.baseFingerprint = base.fingerprint;
    adapter.baseName = base.name;
    adapter.baseHint = path.filename().string();
    return writeAdapter(fs::path(folder) / adapterFileName, adapter, *storage);
}

Result<void> saveTrained(const std::shared_ptr<const Decoder> &decoder, const TrainingModels &models, const Recipe &recipe,
                         const std::string &folder, SaveFormat format)
{
    if (models.loaded) {
        ModelInfo info = models.loaded->info();
        return saveModel(LoadedModel(std::move(info), decoder, models.tokenizer, models.loaded->chatTemplate()), folder,
                         format);
    }
    const auto written = format == SaveFormat::OpenLm ? exportOpenLm(*decoder, folder) : exportNative(*decoder, folder);
    if (!written)
        return written;
    return copyTokenizerFile(recipe.tokenizer, folder);
}

} // namespace lens
