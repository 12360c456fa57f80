#include "base/hash.h"
#include "convert/convert.h"
#include "engine/adaptedmodel.h"
#include "engine/engine.h"
#include "engine/modelfacts.h"
#include "engine/modeltext.h"
#include "engine/specification.h"
#include "model/architecture.h"
#include "model/plugins.h"
#include "tensor/torchbridge.h"

namespace lens {

namespace {

struct Source {
    std::string path;
    CheckpointPtr checkpoint;
    const Architecture *architecture = nullptr;
};

std::vector<PluginInfo> addPlugins(ArchitectureRegistry &registry, const std::vector<std::string> &folders)
{
    PluginTrials trials = PluginTrials::standard();
    return openPlugins(folders.empty() ? standardPluginFolders() : folders, trials, registry);
}

/// Names of plugins that cannot be used, since one of them may be what a checkpoint needs.
std::string refusedPlugins(const std::vector<PluginInfo> &plugins)
{
    std::string names;
    for (const PluginInfo &plugin : plugins)
        if (plugin.state == PluginInfo::State::Refused)
            names += (names.empty() ? "" : ", ") + plugin.name;
    return names;
}

/// Built-in families first: no plugin is opened for what they know.
Result<const Architecture *> findArchitecture(ArchitectureRegistry &registry, const Checkpoint &checkpoint,
                                              const std::vector<std::string> &pluginFolders)
{
    if (const auto builtIn = registry.find(checkpoint))
        return builtIn;
    const std::vector<PluginInfo> plugins = addPlugins(registry, pluginFolders);
    auto found = registry.find(checkpoint);
    if (const std::string refused = refusedPlugins(plugins); !found && !refused.empty())
        found.error().advice += "; plugins that cannot be used here: " + refused;
    return found;
}

/// `registry` must outlive the result.
Result<Source> openSource(const std::string &name, const LoadOptions &options, ArchitectureRegistry &registry)
{
    const auto path = resolveModel(name, options.modelFolders.empty() ? standardModelFolders() : options.modelFolders);
    if (!path)
        return propagate(path);
    auto checkpoint = openCheckpoint(*path);
    if (!checkpoint)
        return propagate(checkpoint);
    const auto architecture = findArchitecture(registry, **checkpoint, options.pluginFolders);
    if (!architecture)
        return propagate(architecture);
    return Source{*path, std::move(*checkpoint), *architecture};
}

void addTextFacts(ModelInfo &info, const ModelText &text)
{
    info.tokenizer = text.tokenizer ? std::string(text.tokenizer->kind()) : std::string();
    info.chatTemplate = text.chatTemplate ? std::string(text.chatTemplate->name()) : std::string();
    info.chatTemplateNote = text.chatTemplateNote;
}

bool isQuantisedFile(const Checkpoint &checkpoint)
{
    return std::ranges::any_of(checkpoint.tensors(), [](const TensorInfo &info) { return isQuantised(info.dtype); });
}

Result<LoadedModelPtr> loadPlain(const std::string &name, const LoadOptions &options, std::stop_token stop,
                                 const ProgressFn &progress)
{
    const auto choice = chooseDevice(options.device);
    if (!choice)
        return propagate(choice);
    const auto type = parseComputeType(options.dtype);
    if (!type)
        return propagate(type);
    ArchitectureRegistry registry = ArchitectureRegistry::withBuiltins();
    const auto source = openSource(name, options, registry);
    if (!source)
        return propagate(source);

    if (blocksOf(*type) && choice->device.kind != DeviceKind::Cpu)
        return fail(ErrorCode::Unsupported, "weights in " + options.dtype + " are for the CPU", name, "choose bfloat16, or the device cpu");
    auto model = source->architecture->build(*source->checkpoint, {choice->device, *type, stop, progress});
    if (!model)
        return propagate(model);
    auto print = fingerprint(*source->checkpoint, stop, progress);
    if (!print)
        return propagate(print);
    const auto inspected = source->architecture->inspect(*source->checkpoint);
    ModelInfo info = (*model)->describe();
    if (blocksOf(*type) && info.quantisationError == 0 && info.dtype != options.dtype && !isQuantisedFile(*source->checkpoint))
        return fail(ErrorCode::Unsupported, "no matrix of this model can be kept in " + options.dtype, name, "choose float32 or bfloat16");
    if (inspected) {
        info.format = inspected->format;
        info.licence = inspected->licence;
    }
    auto text = loadModelText(*source->checkpoint, *source->architecture, info);
    if (!text)
        return propagate(text);
    addFileFacts(info, *source->checkpoint, source->path);
    addTextFacts(info, *text);
    info.fingerprint = std::move(*print);
    info.deviceNote = choice->fallbackReason;
    return std::make_shared<const LoadedModel>(std::move(info), std::move(*model), std::move(text->tokenizer),
                                               std::move(text->chatTemplate));
}

std::string upperCase(std::string text)
{
    for (char &c : text)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

std::string convertedFingerprint(const std::string &source, const std::string &conversion)
{
    Hasher hasher;
    hasher.add(source);
    hasher.add("\n");
    hasher.add(conversion);
    return hasher.digest();
}

Result<std::string> baseOf(const std::filesystem::path &adapterFile, const std::vector<std::string> &folders, BaseCheck check,
                           std::stop_token stop)
{
    const auto adapter = readAdapter(adapterFile);
    return adapter ? findBase(*adapter, adapterFile, folders, check, stop) : propagate(adapter);
}

/// A checkpoint, one with an adapter, or an adapter whose base is to be found.
Result<LoadedModelPtr> loadUnconverted(const ModelSpecification &specification, const LoadOptions &options, std::stop_token stop,
                                       const ProgressFn &progress)
{
    const auto adapter = findAdapter(specification.adapter.value_or(specification.model), options.modelFolders);
    if (!adapter && specification.adapter)
        return fail(ErrorCode::NotFound, "this is no SUPRA adapter", *specification.adapter, "choose a file that uptraining wrote");
    if (!adapter)
        return loadPlain(specification.model, options, stop, progress);
    const auto base = specification.adapter ? Result<std::string>(specification.model)
                                            : baseOf(*adapter, options.modelFolders, BaseCheck::Fingerprint, stop);
    if (!base)
        return propagate(base);
    const auto loaded = loadModel(*base, options, stop, progress);
    return loaded ? adaptModel(*loaded, adapter->string()) : loaded;
}

} // namespace

std::vector<PluginInfo> listPlugins(const std::vector<std::string> &folders)
{
    ArchitectureRegistry registry;
    return addPlugins(registry, folders);
}

Result<ModelInfo> inspectModel(const std::string &path)
{
    return guarded(path, [&]() -> Result<ModelInfo> {
        const auto specification = parseSpecification(path);
        if (!specification)
            return propagate(specification);
        const auto adapter = findAdapter(specification->adapter.value_or(specification->model), {});
        if (specification->adapter && !adapter)
            return fail(ErrorCode::NotFound, "this is no SUPRA adapter", *specification->adapter, "choose a file that uptraining wrote");
        if (specification->adapter)
            return inspectAdapted(specification->model, *adapter);
        if (adapter) {
            const auto base = baseOf(*adapter, {}, BaseCheck::Headers, {});
            return base ? inspectAdapted(*base, *adapter) : propagate(base);
        }
        ArchitectureRegistry registry = ArchitectureRegistry::withBuiltins();
        const auto source = openSource(specification->model, {}, registry);
        if (!source)
            return propagate(source);
        auto info = source->architecture->inspect(*source->checkpoint);
        if (!info)
            return propagate(info);
        addFileFacts(*info, *source->checkpoint, source->path);
        if (auto text = loadModelText(*source->checkpoint, *source->architecture, *info))
            addTextFacts(*info, *text);
        else
            info->chatTemplateNote = toString(text.error());
        info->fingerprint.clear();
        info->device.clear();
        info->dtype.clear();
        return info;
    });
}

Result<LoadedModelPtr> loadModel(const std::string &specification, const LoadOptions &options, std::stop_token stop,
                                 const ProgressFn &progress)
{
    return guarded(specification, [&]() -> Result<LoadedModelPtr> {
        const auto parsed = parseSpecification(specification);
        if (!parsed)
            return propagate(parsed);
        if (!parsed->conversion)
            return loadUnconverted(*parsed, options, stop, progress);
        const auto source = loadModel(parsed->model, options, stop, progress);
        if (!source)
            return source;
        return convertModel(*source, *parsed->conversion, stop, progress);
    });
}

Result<LoadedModelPtr> convertModel(const LoadedModelPtr &source, const ConvertOptions &options, std::stop_token stop,
                                    const ProgressFn &progress)
{
    if (!source)
        return fail(ErrorCode::InvalidArgument, "there is no model to convert");
    return guarded(source->info().name, [&]() -> Result<LoadedModelPtr> {
        auto model = convert(*source->model(), options, stop, progress);
        if (!model)
            return propagate(model);
        const std::string conversion = toString(options);
        ModelInfo info = withKnownFacts((*model)->describe(), source->info());
        const std::string kind = upperCase(conversion.substr(0, conversion.find(':')));
        info.name += " (" + kind + ")";
        info.path += "@" + conversion;
        info.origin = "converted from " + source->info().fingerprint + ", " + conversion;
        info.untrained = true;
        info.fingerprint = convertedFingerprint(source->info().fingerprint, conversion);
        return std::make_shared<const LoadedModel>(std::move(info), std::move(*model), source->tokenizer(),
                                                   source->chatTemplate());
    });
}

} // namespace lens
