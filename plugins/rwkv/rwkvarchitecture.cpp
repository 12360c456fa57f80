#include "rwkvarchitecture.h"

#include "rwkvconfig.h"
#include "rwkvmodel.h"
#include "model/weightfacts.h"
#include "tensor/torchbridge.h"
#include "worldtokenizer.h"

#include <algorithm>
#include <cmath>

namespace lens::rwkv {

namespace {

namespace fs = std::filesystem;

std::vector<Undefined> undefinedQuantities()
{
    return {{"zero features", "RWKV has no feature map"},
            {"conversion", "RWKV is recurrent as it is; only softmax models are converted"}};
}

std::uint64_t stateBytes(const RwkvConfig &config)
{
    const std::int64_t sums = config.version == Version::V4 ? 3 * config.attentionSize
                                                            : config.attentionSize * config.headSize();
    return static_cast<std::uint64_t>(config.layers * (sums + 2 * config.hiddenSize)) * sizeof(float);
}

std::string architectureName(const RwkvConfig &config)
{
    return config.version == Version::V4 ? "rwkv4" : "rwkv5";
}

/// The decay of every channel [heads x channels], read from the small tensors that hold it.
Result<std::vector<double>> channelDecays(const Checkpoint &checkpoint, const RwkvPlan &plan, std::int64_t layer)
{
    const WantedTensor &wanted = plan.tensors.at("layers." + std::to_string(layer) + ".att.decay");
    const auto stored = checkpoint.load(wanted.stored, DType::F32);
    if (!stored)
        return propagate(stored);
    const at::Tensor flat = stored->contiguous().flatten();
    const std::int64_t repeats = plan.config.attentionSize / flat.numel();
    std::vector<double> decays;
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
        const double decay = std::exp(-std::exp(static_cast<double>(flat.const_data_ptr<float>()[i])));
        if (!std::isfinite(decay))
            return fail(ErrorCode::Malformed, "the tensor holds NaN or infinity",
                        checkpoint.path().string() + ", " + wanted.stored, "the file is damaged or its training diverged");
        decays.insert(decays.end(), static_cast<std::size_t>(repeats), decay);
    }
    return decays;
}

/// Elements of every stored tensor that is used, a shared one counted once.
std::uint64_t parameterCount(const Checkpoint &checkpoint, const RwkvPlan &plan)
{
    std::set<std::string> counted;
    std::uint64_t count = 0;
    for (const auto &[name, wanted] : plan.tensors) {
        if (!counted.insert(wanted.stored).second)
            continue;
        std::uint64_t elements = 1;
        for (const std::int64_t size : checkpoint.find(wanted.stored)->shape)
            elements *= static_cast<std::uint64_t>(size);
        count += elements;
    }
    return count;
}

Result<ModelInfo> infoOf(const Checkpoint &checkpoint, const RwkvPlan &plan)
{
    const RwkvConfig &config = plan.config;
    const bool isV4 = config.version == Version::V4;
    ModelInfo info;
    info.format = config.blinkNames ? "RWKV .pth" : std::string(name(checkpoint.format()));
    info.architecture = info.mixer = architectureName(config);
    info.layerCount = config.layers;
    info.hiddenSize = config.hiddenSize;
    info.heads = info.kvHeads = config.heads;
    info.keyDim = isV4 ? 1 : config.headSize();
    info.valueDim = config.headSize();
    info.feedForward = config.feedForward;
    info.vocabulary = config.vocabulary;
    info.trainedContext = config.trainedContext;
    info.parameters = parameterCount(checkpoint, plan);
    info.stateBytes = stateBytes(config);
    info.undefined = undefinedQuantities();
    if (isV4)
        info.headMeaning = std::to_string(config.headSize()) + " channels";
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        auto decays = channelDecays(checkpoint, plan, layer);
        if (!decays)
            return propagate(decays);
        LayerInfo facts;
        facts.mixer = info.mixer;
        facts.channelGamma = std::move(*decays);
        info.layers.push_back(std::move(facts));
    }
    return info;
}

bool isWorldVocabulary(const fs::path &file)
{
    const std::string name = file.filename().string();
    return name.starts_with("rwkv_vocab") && name.ends_with(".txt");
}

/// The newest by name, which ends in a date.
fs::path worldVocabularyIn(const fs::path &folder)
{
    fs::path newest;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
        if (isWorldVocabulary(entry->path()) && entry->path().filename() > newest.filename())
            newest = entry->path();
    return newest;
}

std::int64_t vocabularyOf(const Checkpoint &checkpoint)
{
    const auto plan = planFor(checkpoint);
    return plan ? plan->config.vocabulary : 0;
}

} // namespace

bool RwkvArchitecture::recognises(const Checkpoint &checkpoint) const
{
    return looksLikeRwkv(checkpoint);
}

Result<ModelInfo> RwkvArchitecture::inspect(const Checkpoint &checkpoint) const
{
    return guarded(checkpoint.path().string(), [&]() -> Result<ModelInfo> {
        const auto plan = planFor(checkpoint);
        if (!plan)
            return propagate(plan);
        return infoOf(checkpoint, *plan);
    });
}

Result<LanguageModelPtr> RwkvArchitecture::build(const Checkpoint &checkpoint, const BuildOptions &options) const
{
    return guarded(checkpoint.path().string(), [&]() -> Result<LanguageModelPtr> {
        const auto plan = planFor(checkpoint);
        if (!plan)
            return propagate(plan);
        auto info = infoOf(checkpoint, *plan);
        if (!info)
            return propagate(info);
        const auto weights = loadWeights(checkpoint, plan->tensors, options);
        if (!weights)
            return propagate(weights);
        const at::Tensor &embedding = weights->at("embedding");
        addWeightFacts(*info, *weights, embedding.scalar_type(), embedding.device());
        return std::make_shared<const RwkvModel>(plan->config, *weights, std::move(*info));
    });
}

Result<TokenizerPtr> RwkvArchitecture::loadTokenizer(const Checkpoint &checkpoint) const
{
    return guarded(checkpoint.path().string(), [&]() -> Result<TokenizerPtr> {
        std::error_code error;
        const fs::path &path = checkpoint.path();
        const fs::path folder = fs::is_directory(path, error) ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
        const fs::path neox = folder / "20B_tokenizer.json";
        constexpr std::int64_t neoxVocabulary = 50277;
        if (fs::exists(neox, error) && vocabularyOf(checkpoint) == neoxVocabulary)
            return loadTokenizerFile(neox);
        const fs::path file = worldVocabularyIn(folder);
        if (file.empty())
            return TokenizerPtr();
        auto vocabulary = readWorldVocabularyFile(file);
        if (!vocabulary)
            return propagate(vocabulary);
        return std::make_shared<const WorldTokenizer>(std::move(*vocabulary));
    });
}

} // namespace lens::rwkv
