#include "engine/adaptedmodel.h"

#include "base/hash.h"
#include "checkpoint/adapterfile.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/jsonfile.h"
#include "engine/modelfacts.h"
#include "engine/specification.h"
#include "model/decoder.h"
#include "tensor/mappedfile.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

namespace fs = std::filesystem;

fs::path folderOf(const fs::path &file)
{
    std::error_code error;
    return fs::absolute(file, error).parent_path();
}

/// What the run that made an adapter was given: only the machine that trained it has this file.
std::string baseOfRun(const fs::path &folder)
{
    std::error_code error;
    if (!fs::exists(folder / "recipe.json", error))
        return {};
    const auto recipe = readJsonObject(folder / "recipe.json");
    if (!recipe || !recipe->contains("model") || !(*recipe)["model"].is_string())
        return {};
    auto specification = parseSpecification((*recipe)["model"].get<std::string>());
    while (specification && specification->conversion)
        specification = parseSpecification(std::string(specification->model));
    return specification ? specification->model : std::string();
}

/// Places to look at, the likely ones first, each once; no adapters.
class Candidates {
public:
    void add(const fs::path &path)
    {
        std::error_code error;
        if (path.empty() || !fs::exists(path, error) || adapterFileAt(path))
            return;
        const fs::path real = fs::canonical(path, error);
        if (!error && std::ranges::find(m_real, real) == m_real.end()) {
            m_real.push_back(real);
            m_paths.push_back(path.string());
        }
    }

    const std::vector<std::string> &paths() const { return m_paths; }

private:
    std::vector<fs::path> m_real;
    std::vector<std::string> m_paths;
};

std::vector<std::string> candidates(const SupraAdapter &adapter, const fs::path &file, const std::vector<std::string> &folders)
{
    Candidates found;
    const fs::path beside = folderOf(file);
    for (const fs::path &folder : {beside, beside.parent_path()}) {
        if (!adapter.baseHint.empty())
            found.add(folder / adapter.baseHint);
        found.add(baseOfRun(folder));
    }
    if (!adapter.baseHint.empty())
        for (const std::string &folder : folders)
            found.add(fs::path(folder) / adapter.baseHint);
    for (const std::string &model : listModels(folders))
        found.add(model);
    return found.paths();
}

bool sizesAgree(const ModelInfo &base, const DecoderConfig &config)
{
    const ModelInfo wanted = describe(config, 4);
    return base.vocabulary == wanted.vocabulary && base.hiddenSize == wanted.hiddenSize && base.layerCount == wanted.layerCount
           && base.heads == wanted.heads && base.kvHeads == wanted.kvHeads && base.feedForward == wanted.feedForward;
}

Result<bool> isBase(const std::string &path, const SupraAdapter &adapter, BaseCheck check, std::stop_token stop)
{
    const auto info = inspectModel(path);
    if (!info || !sizesAgree(*info, adapter.config))
        return false;
    if (check == BaseCheck::Headers)
        return true;
    const auto checkpoint = openCheckpoint(path);
    const auto print = checkpoint ? fingerprint(**checkpoint, stop) : propagate(checkpoint);
    if (!print && print.error().code == ErrorCode::Cancelled)
        return propagate(print);
    return print && *print == adapter.baseFingerprint;
}

std::string listed(const fs::path &beside, const std::vector<std::string> &folders)
{
    std::string text = beside.string();
    for (const std::string &folder : folders)
        text += ", " + folder;
    return text;
}

Result<std::string> digestOf(const fs::path &file)
{
    const auto mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    Hasher hasher;
    hasher.add((*mapped)->bytes());
    return hasher.digest();
}

std::string combined(const std::string &base, const std::string &adapter)
{
    Hasher hasher;
    hasher.add(base + "\nadapter\n" + adapter);
    return hasher.digest();
}

std::uint64_t sharedBytes(const LanguageModel &base, const LanguageModel &adapted)
{
    const auto *before = dynamic_cast<const Decoder *>(&base), *after = dynamic_cast<const Decoder *>(&adapted);
    std::uint64_t bytes = 0;
    if (!before || !after)
        return 0;
    for (const auto &[name, weight] : before->weights())
        if (const auto kept = after->weights().find(name); kept != after->weights().end() && kept->second.is_same(weight))
            bytes += weight.nbytes();
    const QuantisedWeights &quantised = after->quantised();
    for (const auto &[name, matrix] : before->quantised())
        if (const auto kept = quantised.find(name); kept != quantised.end() && kept->second.blocks().is_same(matrix.blocks()))
            bytes += matrix.bytes();
    return bytes;
}

void addAdapterFacts(ModelInfo &info, const ModelInfo &base, const fs::path &file)
{
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    info.name = base.name + " (SUPRA adapter)";
    info.base = base.path;
    info.path = base.path + "@adapter=" + file.string();
    info.fileBytes = base.fileBytes + (error ? 0 : size);
    info.format = base.format + " with a SUPRA adapter";
}

} // namespace

std::optional<fs::path> findAdapter(const std::string &name, const std::vector<std::string> &folders)
{
    const auto path = resolveModel(name, folders.empty() ? standardModelFolders() : folders);
    return path ? adapterFileAt(*path) : std::nullopt;
}

Result<std::string> findBase(const SupraAdapter &adapter, const fs::path &file, const std::vector<std::string> &given,
                             BaseCheck check, std::stop_token stop)
{
    const std::vector<std::string> folders = given.empty() ? standardModelFolders() : given;
    for (const std::string &path : candidates(adapter, file, folders)) {
        const auto found = isBase(path, adapter, check, stop);
        if (!found)
            return propagate(found);
        if (*found)
            return path;
    }
    const std::string wanted = adapter.baseName.empty() ? adapter.baseHint : adapter.baseName;
    return fail(ErrorCode::NotFound,
                "the adapter's base model is not there: " + wanted + (adapter.baseHint.empty() ? "" : " (" + adapter.baseHint + ")")
                    + ", weights with fingerprint " + adapter.baseFingerprint,
                file.string(), "put it into one of these folders, or open MODEL@adapter=FILE; looked in: " + listed(folderOf(file), folders));
}

Result<ModelInfo> inspectAdapted(const std::string &base, const fs::path &adapterFile)
{
    auto known = inspectModel(base);
    if (!known)
        return known;
    const auto adapter = readAdapter(adapterFile);
    if (!adapter)
        return propagate(adapter);
    if (!sizesAgree(*known, adapter->config))
        return fail(ErrorCode::Mismatch, "the adapter was made for " + adapter->baseName + ", not for " + known->name,
                    adapterFile.string(), "open it with the base model that it was trained on");
    ModelInfo info = withKnownFacts(describe(adapter->config, 4), *known);
    addAdapterFacts(info, *known, adapterFile);
    info.origin = adapter->config.origin;
    info.untrained = adapter->config.untrained;
    return info;
}

Result<LoadedModelPtr> adaptModel(const LoadedModelPtr &base, const std::string &adapterFile)
{
    if (!base)
        return fail(ErrorCode::InvalidArgument, "there is no model to adapt");
    return guarded(adapterFile, [&]() -> Result<LoadedModelPtr> {
        const fs::path file = adapterFileAt(adapterFile).value_or(fs::path(adapterFile));
        const auto adapter = readAdapter(file);
        if (!adapter)
            return propagate(adapter);
        const ModelInfo &known = base->info();
        if (known.fingerprint != adapter->baseFingerprint)
            return fail(ErrorCode::Mismatch, "the adapter was trained on " + adapter->baseName + " with fingerprint "
                        + adapter->baseFingerprint + ", and " + known.name + " has " + known.fingerprint, file.string(),
                        "open it with the base model that it was trained on");
        const auto model = applyAdapter(*base->model(), *adapter);
        if (!model)
            return propagate(model);
        const auto digest = digestOf(file);
        if (!digest)
            return propagate(digest);
        ModelInfo info = withKnownFacts((*model)->describe(), known);
        addAdapterFacts(info, known, file);
        info.origin = adapter->config.origin;
        info.untrained = adapter->config.untrained;
        info.sharedBytes = sharedBytes(*base->model(), **model);
        info.fingerprint = combined(known.fingerprint, *digest);
        return std::make_shared<const LoadedModel>(std::move(info), *model, base->tokenizer(), base->chatTemplate());
    });
}

} // namespace lens
