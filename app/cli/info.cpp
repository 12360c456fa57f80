// supralens-cli info
#include "checkpoint/adapterfile.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"

namespace lens::cli {

namespace {

struct Options {
    std::string model;
    bool tensors = false;
};

std::string shapeText(const std::vector<std::int64_t> &shape)
{
    std::string text;
    for (const std::int64_t size : shape)
        text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text.empty() ? "scalar" : text;
}

std::string memoryText(const ModelInfo &info)
{
    if (info.isRecurrent())
        return bytes(info.stateBytes) + ", constant";
    std::string text = bytes(info.kvBytesPerToken) + " per token (KV cache)";
    if (info.trainedContext > 0)
        text += ", " + bytes(info.kvBytesPerToken * static_cast<std::uint64_t>(info.trainedContext)) +
                " at the trained context";
    return info.stateBytes > 0 ? text + ", and " + bytes(info.stateBytes) + " of states" : text;
}

std::string headsText(const ModelInfo &info)
{
    const std::string sizes = info.keyDim == info.valueDim ? std::to_string(info.keyDim)
                                                           : std::to_string(info.keyDim) + " (keys) and " +
                                                                 std::to_string(info.valueDim) + " (values)";
    const std::string grouped =
        info.kvHeads == info.heads ? "" : " (" + std::to_string(info.kvHeads) + " for keys and values)";
    const std::string shown = info.headMeaning.empty() ? std::string() : ", each " + info.headMeaning;
    return std::to_string(info.heads) + grouped + " of size " + sizes + shown;
}

std::string orNone(const std::string &text, const std::string &note = {})
{
    if (!text.empty())
        return text;
    return note.empty() ? "none" : "none: " + note;
}

std::string factsOf(const ModelInfo &info)
{
    std::vector<std::pair<std::string, std::string>> lines = {
        {"name", oneLine(info.name)},
        {"path", oneLine(info.path)},
        {"format", info.format},
        {"stored as", info.storage},
        {"architecture", oneLine(info.architecture) + ", " + info.mixer},
        {"layers", std::to_string(info.layerCount)},
        {"heads", headsText(info)},
        {"width", std::to_string(info.hiddenSize) + ", feed-forward " + std::to_string(info.feedForward)},
        {"vocabulary", std::to_string(info.vocabulary)},
        {"trained context", info.trainedContext > 0 ? std::to_string(info.trainedContext) + " tokens" : "not stated"},
        {"parameters", grouped(info.parameters)},
        {"file size", bytes(info.fileBytes)},
        {"sequence memory", memoryText(info)},
        {"tokenizer", orNone(info.tokenizer)},
        {"chat template", orNone(info.chatTemplate, oneLine(info.chatTemplateNote))},
        {"licence", info.licence.empty() ? "not stated" : oneLine(info.licence)},
    };
    if (!info.base.empty())
        lines.emplace_back("base", oneLine(info.base));
    if (!info.origin.empty())
        lines.emplace_back("origin", oneLine(info.origin));
    for (const Undefined &missing : info.undefined)
        lines.emplace_back("no " + missing.quantity, "not defined for this family, because " + oneLine(missing.reason));
    if (info.untrained)
        lines.emplace_back("note", "converted but not uptrained: it talks nonsense");
    return facts(lines);
}

/// As they are stored, of an adapter those of its file.
Result<std::vector<TensorInfo>> storedTensors(const std::string &path)
{
    const auto adapter = adapterFileAt(path);
    if (!adapter) {
        const Result<CheckpointPtr> checkpoint = openCheckpoint(path);
        return checkpoint ? Result<std::vector<TensorInfo>>((*checkpoint)->tensors()) : propagate(checkpoint);
    }
    const Result<MappedFilePtr> file = MappedFile::open(*adapter);
    const Result<std::vector<StoredTensor>> stored = file ? readSafetensors(*file) : propagate(file);
    if (!stored)
        return propagate(stored);
    std::vector<TensorInfo> tensors;
    for (const StoredTensor &tensor : *stored)
        tensors.push_back(tensor.info);
    return tensors;
}

Result<ModelInfo> factsFor(const Specification &specification, Environment &environment)
{
    if (specification.conversion.empty())
        return inspectModel(specification.path);
    if (specification.isAdapter())
        return inspectModel(specification.path + "@" + specification.conversion);
    // What a conversion gives is known once it is made.
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(specification.path + "@" + specification.conversion);
    if (!model)
        return propagate(model);
    return (*model)->info();
}

Result<Exit> run(const Options &options, Environment &environment)
{
    const Result<Specification> specification = specificationOf(options.model);
    if (!specification)
        return propagate(specification);
    const Result<ModelInfo> info = factsFor(*specification, environment);
    if (!info)
        return propagate(info);

    Json document = toJson(*info);
    std::vector<std::vector<std::string>> rows = {{"tensor", "type", "shape", "bytes"}};
    if (options.tensors) {
        const Result<std::vector<TensorInfo>> stored = storedTensors(specification->path);
        if (!stored)
            return propagate(stored);
        Json tensors = Json::array();
        for (const TensorInfo &tensor : *stored) {
            rows.push_back({oneLine(tensor.name), std::string(name(tensor.dtype)), shapeText(tensor.shape),
                            std::to_string(tensor.bytes)});
            tensors.push_back({{"name", tensor.name},
                               {"dtype", name(tensor.dtype)},
                               {"shape", tensor.shape},
                               {"bytes", tensor.bytes}});
        }
        document["tensors"] = std::move(tensors);
    }
    if (environment.options.json)
        environment.console.writeJson(document);
    else
        environment.console.write(factsOf(*info) + (options.tensors ? "\n" + table(rows) : ""));
    return Exit::Done;
}

} // namespace

void addInfo(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("info", "What is known about a model, without loading it",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model")->required()->option_text("MODEL");
    command->add_flag("--tensors", options->tensors, "List the stored tensors too");
}

} // namespace lens::cli
