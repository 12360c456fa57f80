#include "rwkvconfig.h"

#include "model/configreader.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

namespace lens::rwkv {

namespace {

constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;
constexpr std::int64_t kMostGroupChannels = 64;

/// How one of the two spellings calls things.
struct Names {
    std::string embedding, blocks, firstNorm, attention, feedForward, lastNorm;
    std::string mixK, mixV, mixR, mixG;

    std::string block(std::int64_t layer) const { return blocks + std::to_string(layer) + "."; }
};

const Names &blinkNames()
{
    static const Names names{"emb.weight", "blocks.",    "ln0",        "att.",       "ffn.",
                             "ln_out",     "time_mix_k", "time_mix_v", "time_mix_r", "time_mix_g"};
    return names;
}

const Names &huggingFaceNames()
{
    static const Names names{"rwkv.embeddings.weight", "rwkv.blocks.", "pre_ln", "attention.", "feed_forward.",
                             "rwkv.ln_out", "time_mix_key", "time_mix_value", "time_mix_receptance", "time_mix_gate"};
    return names;
}

bool hasBlocks(const Checkpoint &checkpoint, const Names &names)
{
    const std::string prefix = names.block(0) + names.attention;
    return std::ranges::any_of(checkpoint.tensors(), [&](const TensorInfo &tensor) { return tensor.name.starts_with(prefix); });
}

std::string modelType(const Checkpoint &checkpoint)
{
    const nlohmann::json &config = checkpoint.config();
    const auto found = config.is_object() ? config.find("model_type") : config.end();
    return config.is_object() && found != config.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t elements(const std::vector<std::int64_t> &shape)
{
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Reads sizes off the headers; the first thing that is wrong is remembered.
class HeaderReader {
public:
    explicit HeaderReader(const Checkpoint &checkpoint) : m_checkpoint(checkpoint) {}

    /// The size of a dimension of a matrix, 1 where something is wrong.
    std::int64_t size(const std::string &tensor, std::size_t dimension);

    const TensorInfo *find(const std::string &tensor);
    void reject(ErrorCode code, std::string what, const std::string &tensor, std::string advice = {});
    const std::optional<Error> &error() const { return m_error; }

private:
    const Checkpoint &m_checkpoint;
    std::optional<Error> m_error;
};

const TensorInfo *HeaderReader::find(const std::string &tensor)
{
    const TensorInfo *info = m_checkpoint.find(tensor);
    if (!info)
        reject(ErrorCode::Mismatch, "the tensor is missing", tensor, "the file is incomplete");
    return info;
}

std::int64_t HeaderReader::size(const std::string &tensor, std::size_t dimension)
{
    const TensorInfo *info = find(tensor);
    if (!info)
        return 1;
    if (info->shape.size() == 2 && info->shape[dimension] >= 1 && info->shape[dimension] <= kMostWidth)
        return info->shape[dimension];
    reject(ErrorCode::Malformed, "the tensor is not a matrix of possible size", tensor, "the file is damaged");
    return 1;
}

void HeaderReader::reject(ErrorCode code, std::string what, const std::string &tensor, std::string advice)
{
    if (!m_error)
        m_error = Error{code, std::move(what), m_checkpoint.path().string() + ", " + tensor, std::move(advice)};
}

/// One more than the highest block there is a tensor of.
std::int64_t countBlocks(const Checkpoint &checkpoint, HeaderReader &reader)
{
    const std::string &prefix = blinkNames().blocks;
    std::int64_t count = 0;
    for (const TensorInfo &tensor : checkpoint.tensors()) {
        if (!tensor.name.starts_with(prefix))
            continue;
        std::int64_t block = 0;
        const char *end = tensor.name.data() + tensor.name.size();
        const auto parsed = std::from_chars(tensor.name.data() + prefix.size(), end, block);
        if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '.' || block < 0 || block >= kMostLayers) {
            reader.reject(ErrorCode::LimitExceeded, "this names no block that can be", tensor.name, "the file is damaged");
            return 1;
        }
        count = std::max(count, block + 1);
    }
    return count;
}

void refuseLaterVersions(const Checkpoint &checkpoint, const Names &names, HeaderReader &reader)
{
    const std::string attention = names.block(0) + names.attention;
    for (const char *name : {"time_maa_x", "time_maa_k", "x_r", "r_k"})
        if (checkpoint.find(attention + name))
            reader.reject(ErrorCode::Unsupported, "this is RWKV-6 or later, whose decays depend on the input",
                          attention + name, "RWKV-4 and RWKV-5 can be used");
}

/// Version, heads, and which of the small differences of the versions there are.
void readVersion(RwkvConfig &config, const Checkpoint &checkpoint, const Names &names, HeaderReader &reader)
{
    const std::string attention = names.block(0) + names.attention;
    const auto isThere = [&](const std::string &name) { return checkpoint.find(attention + name) != nullptr; };
    config.version = isThere("ln_x.weight") ? Version::V5 : Version::V4;
    if (config.version == Version::V4) {
        const auto widest = [&] {
            for (std::int64_t size = std::min(kMostGroupChannels, config.attentionSize); size > 1; --size)
                if (config.attentionSize % size == 0)
                    return size;
            return std::int64_t{1};
        };
        config.heads = config.attentionSize / widest();
        return;
    }
    config.gated = isThere("gate.weight");
    config.firstIsLogarithm = !isThere("time_faaaa");
    const TensorInfo *decay = reader.find(attention + "time_decay");
    config.heads = decay && !decay->shape.empty() ? decay->shape[0] : 1;
    if (config.heads < 1 || config.attentionSize % config.heads != 0) {
        reader.reject(ErrorCode::Mismatch, std::to_string(config.heads) + " heads do not divide the attention's width "
                      + std::to_string(config.attentionSize), attention + "time_decay");
        config.heads = 1;
    }
}

Result<RwkvConfig> blinkConfig(const Checkpoint &checkpoint)
{
    const Names &names = blinkNames();
    HeaderReader reader(checkpoint);
    RwkvConfig config;
    config.blinkNames = true;
    config.vocabulary = reader.size(names.embedding, 0);
    config.hiddenSize = reader.size(names.embedding, 1);
    config.layers = countBlocks(checkpoint, reader);
    refuseLaterVersions(checkpoint, names, reader);
    config.attentionSize = reader.size(names.block(0) + names.attention + "key.weight", 0);
    config.feedForward = reader.size(names.block(0) + names.feedForward + "key.weight", 0);
    readVersion(config, checkpoint, names, reader);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    return config;
}

Result<RwkvConfig> huggingFaceConfig(const Checkpoint &checkpoint)
{
    const Names &names = huggingFaceNames();
    const std::string type = modelType(checkpoint);
    if (!hasBlocks(checkpoint, names))
        return fail(ErrorCode::Unsupported, "the model \"" + type + "\" has other tensors than RWKV-4 and RWKV-5",
                    checkpoint.path().string(), "RWKV-4 and RWKV-5 can be used");
    HeaderReader header(checkpoint);
    refuseLaterVersions(checkpoint, names, header);
    if (header.error())
        return tl::unexpected<Error>(*header.error());
    ConfigReader reader(checkpoint.config(), checkpoint.path().string() + ", config.json");
    RwkvConfig config;
    config.hiddenSize = reader.integer("hidden_size", 1, kMostWidth);
    config.vocabulary = reader.integer("vocab_size", 1, std::int64_t{1} << 31);
    config.layers = reader.integer("num_hidden_layers", 1, kMostLayers);
    config.attentionSize = reader.integer("attention_hidden_size", 1, kMostWidth, config.hiddenSize);
    config.feedForward = reader.has("intermediate_size")
                             ? reader.integer("intermediate_size", 1, kMostWidth)
                             : header.size(names.block(0) + names.feedForward + "key.weight", 0);
    config.trainedContext = reader.integer("context_length", 1, std::int64_t{1} << 40, 1024);
    config.epsilon = reader.number("layer_norm_epsilon", 0, 1, 1e-5);
    config.tied = reader.boolean("tie_word_embeddings", false);
    const double divisor = reader.number("head_size_divisor", 1e-3, 1e3, 8.0);
    config.groupEpsilon = 1e-5 * divisor * divisor;
    readVersion(config, checkpoint, names, header);
    if (config.version == Version::V5 && reader.has("head_size")
        && reader.integer("head_size", 1, kMostWidth) != config.headSize())
        reader.reject(ErrorCode::Mismatch, "\"head_size\" is not the size of the stored heads, "
                      + std::to_string(config.headSize()), "the configuration belongs to another model");
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    if (header.error())
        return tl::unexpected<Error>(*header.error());
    return config;
}

/// Collects what a config asks for.
class TensorList {
public:
    TensorList(const Checkpoint &checkpoint, WantedTensors &tensors) : m_checkpoint(checkpoint), m_tensors(tensors) {}

    void matrix(const std::string &own, const std::string &stored, std::int64_t rows, std::int64_t columns)
    {
        m_tensors[own] = {stored, {rows, columns}, false};
    }

    /// Stored in any shape of as many elements: [1,1,D] is as usual as [D].
    void vector(const std::string &own, const std::string &stored, std::int64_t size, bool keepFloat32 = false)
    {
        const TensorInfo *info = m_checkpoint.find(stored);
        const bool fits = info && elements(info->shape) == size;
        m_tensors[own] = {stored, fits ? info->shape : std::vector<std::int64_t>{size}, keepFloat32};
    }

    /// V4: one a channel. V5: one a channel, or in 5.0 and 5.1 one a head, by heads: [H,N], [H], [H,1] and [H,1,1].
    void perHead(const std::string &own, const std::string &stored, const RwkvConfig &config)
    {
        if (config.version == Version::V4)
            return vector(own, stored, config.attentionSize, true);
        const TensorInfo *info = m_checkpoint.find(stored);
        const std::int64_t count = info ? elements(info->shape) : 0;
        const bool fits = info && !info->shape.empty() && info->shape[0] == config.heads
                          && (count == config.heads || count == config.attentionSize);
        m_tensors[own] = {stored, fits ? info->shape : std::vector<std::int64_t>{config.heads, config.headSize()}, true};
    }

    void norm(const std::string &own, const std::string &stored, std::int64_t size, bool keepFloat32 = false)
    {
        vector(own + ".weight", stored + ".weight", size, keepFloat32);
        vector(own + ".bias", stored + ".bias", size, keepFloat32);
    }

private:
    const Checkpoint &m_checkpoint;
    WantedTensors &m_tensors;
};

void addAttention(TensorList &list, const RwkvConfig &config, const Names &names, const std::string &own,
                  const std::string &stored)
{
    const std::int64_t width = config.hiddenSize, inner = config.attentionSize;
    const std::string first = config.version == Version::V4 || config.firstIsLogarithm ? "time_first" : "time_faaaa";
    list.vector(own + "mix_k", stored + names.mixK, width);
    list.vector(own + "mix_v", stored + names.mixV, width);
    list.vector(own + "mix_r", stored + names.mixR, width);
    list.perHead(own + "decay", stored + "time_decay", config);
    list.perHead(own + "first", stored + first, config);
    for (const char *name : {"key", "value", "receptance"})
        list.matrix(own + name, stored + name + ".weight", inner, width);
    list.matrix(own + "output", stored + "output.weight", width, inner);
    if (config.version == Version::V4)
        return;
    list.norm(own + "ln_x", stored + "ln_x", inner, true);
    if (config.gated) {
        list.vector(own + "mix_g", stored + names.mixG, width);
        list.matrix(own + "gate", stored + "gate.weight", inner, width);
    }
}

WantedTensors wantedTensors(const Checkpoint &checkpoint, const RwkvConfig &config, const Names &names)
{
    WantedTensors tensors;
    TensorList list(checkpoint, tensors);
    const std::int64_t width = config.hiddenSize;
    list.matrix("embedding", names.embedding, config.vocabulary, width);
    list.matrix("head", config.tied ? names.embedding : "head.weight", config.vocabulary, width);
    list.norm("ln0", names.block(0) + names.firstNorm, width);
    list.norm("ln_out", names.lastNorm, width);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string own = "layers." + std::to_string(i) + ".", stored = names.block(i);
        list.norm(own + "ln1", stored + "ln1", width);
        list.norm(own + "ln2", stored + "ln2", width);
        addAttention(list, config, names, own + "att.", stored + names.attention);
        const std::string ffn = own + "ffn.", storedFfn = stored + names.feedForward;
        list.vector(ffn + "mix_k", storedFfn + names.mixK, width);
        list.vector(ffn + "mix_r", storedFfn + names.mixR, width);
        list.matrix(ffn + "key", storedFfn + "key.weight", config.feedForward, width);
        list.matrix(ffn + "receptance", storedFfn + "receptance.weight", width, width);
        list.matrix(ffn + "value", storedFfn + "value.weight", width, config.feedForward);
    }
    return tensors;
}

} // namespace

bool looksLikeRwkv(const Checkpoint &checkpoint)
{
    return modelType(checkpoint).starts_with("rwkv") || hasBlocks(checkpoint, blinkNames())
           || hasBlocks(checkpoint, huggingFaceNames());
}

Result<RwkvPlan> planFor(const Checkpoint &checkpoint)
{
    const bool isBlink = hasBlocks(checkpoint, blinkNames());
    auto config = isBlink ? blinkConfig(checkpoint) : huggingFaceConfig(checkpoint);
    if (!config)
        return propagate(config);
    RwkvPlan plan{*config, wantedTensors(checkpoint, *config, isBlink ? blinkNames() : huggingFaceNames())};
    if (auto complete = checkHeaders(checkpoint, plan.tensors); !complete)
        return propagate(complete);
    return plan;
}

} // namespace lens::rwkv
