#include "mambaconfig.h"

#include "model/configreader.h"

#include <algorithm>

namespace lens::mamba {

namespace {

constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;
constexpr std::int64_t kMostStates = 65536;
constexpr std::int64_t kMostRows = std::int64_t{1} << 31;

/// What stands before "backbone." in the tensor names; trainers wrap models.
std::string prefixOf(const Checkpoint &checkpoint)
{
    for (const char *prefix : {"model.", "module."})
        if (checkpoint.find(std::string(prefix) + "backbone.layers.0.mixer.A_log"))
            return prefix;
    return {};
}

std::int64_t stepRank(ConfigReader &reader, const char *key, std::int64_t width)
{
    const std::int64_t automatic = (width + 15) / 16;
    const bool isAuto = reader.has(key) && reader.object().at(key).is_string() && reader.text(key, {}) == "auto";
    return isAuto ? automatic : reader.integer(key, 1, kMostWidth, automatic);
}

std::int64_t innerWidth(ConfigReader &reader, std::int64_t width)
{
    const double inner = reader.number("expand", 1e-3, 1e3, 2.0) * static_cast<double>(width);
    if (inner < 1 || inner > static_cast<double>(kMostWidth))
        reader.reject(ErrorCode::LimitExceeded, "\"expand\" leads to a width outside of what is possible");
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(inner), 1, kMostWidth);
}

MambaConfig huggingFaceConfig(ConfigReader &reader)
{
    MambaConfig config;
    config.architecture = reader.text("model_type", "mamba");
    config.layers = reader.integer("num_hidden_layers", 1, kMostLayers, 32);
    config.width = reader.integer("hidden_size", 1, kMostWidth, 768);
    config.inner = innerWidth(reader, config.width);
    if (!reader.has("expand") && reader.has("intermediate_size"))
        config.inner = reader.integer("intermediate_size", 1, kMostWidth);
    config.stateSize = reader.integer("state_size", 1, kMostStates, 16);
    config.convKernel = reader.integer("conv_kernel", 1, kMostStates, 4);
    config.rank = stepRank(reader, "time_step_rank", config.width);
    config.vocabulary = reader.integer("vocab_size", 1, kMostRows, 50280);
    config.tied = reader.boolean("tie_word_embeddings", true);
    config.convBias = reader.boolean("use_conv_bias", true);
    config.projectionBias = reader.boolean("use_bias", false);
    config.norm.epsilon = reader.number("layer_norm_epsilon", 0, 1, 1e-5);
    if (config.architecture == "falcon_mamba")
        config.innerNormEpsilon = reader.number("mixer_rms_eps", 0, 1, 1e-6);
    const std::string activation = reader.text("hidden_act", "silu");
    if (activation != "silu" && activation != "swish")
        reader.reject(ErrorCode::Unsupported, "the activation \"" + activation + "\" is not supported", "Mamba uses silu");
    return config;
}

bool isFilled(ConfigReader &reader, const char *key)
{
    return reader.has(key) && !reader.object().at(key).empty();
}

/// The configuration of state-spaces/mamba; open_lm's has the same keys.
MambaConfig nativeConfig(ConfigReader &reader)
{
    static const nlohmann::json none = nlohmann::json::object();
    const bool hasMixer = reader.has("ssm_cfg");
    if (hasMixer && !reader.object().at("ssm_cfg").is_object())
        reader.reject(ErrorCode::Malformed, "\"ssm_cfg\" is not an object");
    const nlohmann::json &section = hasMixer && !reader.error() ? reader.object().at("ssm_cfg") : none;
    ConfigReader mixer(section, "config.json, ssm_cfg");

    MambaConfig config;
    config.architecture = "mamba";
    config.layers = reader.integer("n_layer", 1, kMostLayers);
    config.width = reader.integer("d_model", 1, kMostWidth);
    config.inner = innerWidth(mixer, config.width);
    config.stateSize = mixer.integer("d_state", 1, kMostStates, 16);
    config.convKernel = mixer.integer("d_conv", 1, kMostStates, 4);
    config.rank = stepRank(mixer, "dt_rank", config.width);
    config.convBias = mixer.boolean("conv_bias", true);
    config.projectionBias = mixer.boolean("bias", false);
    config.tied = reader.boolean("tie_embeddings", true);
    const std::int64_t multiple = reader.integer("pad_vocab_size_multiple", 1, kMostRows, 8);
    const std::int64_t words = reader.integer("vocab_size", 1, kMostRows, 50277);
    config.vocabulary = (words + multiple - 1) / multiple * multiple;
    config.norm.epsilon = reader.number("norm_epsilon", 0, 1, 1e-5);
    if (!reader.boolean("rms_norm", true)) {
        config.norm.kind = NormConfig::Kind::Layer;
        config.norm.hasBias = true;
    }
    if (const std::string kind = mixer.text("layer", "Mamba1"); kind != "Mamba1")
        reader.reject(ErrorCode::Unsupported, "layers of the kind \"" + kind + "\" are not supported", "Mamba1 is");
    if (isFilled(reader, "attn_layer_idx"))
        reader.reject(ErrorCode::Unsupported, "Mamba with attention layers is not supported");
    if (reader.integer("d_intermediate", 0, kMostWidth, 0) != 0)
        reader.reject(ErrorCode::Unsupported, "Mamba with feed-forward layers is not supported");
    if (mixer.error())
        reader.reject(mixer.error()->code, mixer.error()->what + " in \"ssm_cfg\"", mixer.error()->advice);
    return config;
}

void addNorm(WantedTensors &wanted, const std::string &own, const std::string &stored, const MambaConfig &config)
{
    wanted[own + ".weight"] = {stored + ".weight", {config.width}, true};
    if (config.norm.hasBias)
        wanted[own + ".bias"] = {stored + ".bias", {config.width}, true};
}

void addLayer(WantedTensors &wanted, const std::string &own, const std::string &stored, const MambaConfig &config)
{
    const std::int64_t inner = config.inner, states = config.stateSize;
    const std::string mixer = stored + ".mixer.";
    addNorm(wanted, own + ".norm", stored + ".norm", config);
    wanted[own + ".in"] = {mixer + "in_proj.weight", {2 * inner, config.width}};
    wanted[own + ".conv"] = {mixer + "conv1d.weight", {inner, 1, config.convKernel}, true};
    wanted[own + ".x"] = {mixer + "x_proj.weight", {config.rank + 2 * states, inner}};
    wanted[own + ".dt"] = {mixer + "dt_proj.weight", {inner, config.rank}};
    wanted[own + ".dt_bias"] = {mixer + "dt_proj.bias", {inner}, true};
    wanted[own + ".A_log"] = {mixer + "A_log", {inner, states}, true};
    wanted[own + ".D"] = {mixer + "D", {inner}, true};
    wanted[own + ".out"] = {mixer + "out_proj.weight", {config.width, inner}};
    if (config.convBias)
        wanted[own + ".conv_bias"] = {mixer + "conv1d.bias", {inner}, true};
    if (config.projectionBias) {
        wanted[own + ".in_bias"] = {mixer + "in_proj.bias", {2 * inner}};
        wanted[own + ".out_bias"] = {mixer + "out_proj.bias", {config.width}};
    }
}

WantedTensors weightsOf(const MambaConfig &config, const Checkpoint &checkpoint)
{
    const std::string prefix = prefixOf(checkpoint), backbone = prefix + "backbone.";
    const std::string plural = backbone + "embeddings.weight", singular = backbone + "embedding.weight";
    WantedTensors wanted;
    wanted["embedding"] = {checkpoint.find(singular) ? singular : plural, {config.vocabulary, config.width}};
    if (!config.tied)
        wanted["head"] = {prefix + "lm_head.weight", {config.vocabulary, config.width}};
    addNorm(wanted, "norm", backbone + "norm_f", config);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = "layers." + std::to_string(i);
        addLayer(wanted, layer, backbone + layer, config);
    }
    return wanted;
}

} // namespace

std::int64_t MambaConfig::groupSize() const
{
    std::int64_t size = std::min<std::int64_t>(64, inner);
    while (inner % size != 0)
        --size;
    return size;
}

bool looksLikeMamba(const Checkpoint &checkpoint)
{
    const nlohmann::json &config = checkpoint.config();
    const auto type = config.is_object() ? config.find("model_type") : config.end();
    if (config.is_object() && type != config.end() && type->is_string()) {
        const std::string &text = type->get_ref<const std::string &>();
        if (text == "mamba" || text == "falcon_mamba")
            return true;
    }
    return checkpoint.find(prefixOf(checkpoint) + "backbone.layers.0.mixer.A_log")
           && (!config.is_object() || type == config.end() || config.contains("d_model"));
}

Result<MambaPlan> planFor(const Checkpoint &checkpoint)
{
    ConfigReader reader(checkpoint.config(), checkpoint.path().string() + ", config.json");
    MambaPlan plan;
    const bool native = !reader.has("model_type") || reader.has("d_model");
    plan.config = native ? nativeConfig(reader) : huggingFaceConfig(reader);
    if (!reader.error() && static_cast<std::uint64_t>(plan.config.layers) > checkpoint.tensors().size())
        reader.reject(ErrorCode::Mismatch, "the configuration has more layers than the file has tensors",
                      "the file is incomplete, or its configuration belongs to another model");
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    plan.weights = weightsOf(plan.config, checkpoint);
    if (auto complete = checkHeaders(checkpoint, plan.weights); !complete)
        return propagate(complete);
    return plan;
}

ModelInfo describe(const MambaConfig &config)
{
    ModelInfo info;
    info.architecture = config.architecture;
    info.mixer = "mamba";
    info.layerCount = config.layers;
    info.hiddenSize = config.width;
    info.heads = info.kvHeads = config.groups();
    info.keyDim = config.stateSize;
    info.valueDim = config.groupSize();
    info.headMeaning = std::to_string(config.groupSize()) + " channels";
    info.vocabulary = config.vocabulary;
    info.stateBytes = static_cast<std::uint64_t>(config.layers * config.inner * (config.stateSize + config.convKernel)) * 4;
    LayerInfo layer;
    layer.mixer = "mamba";
    layer.decayVaries = true;
    info.layers.assign(static_cast<std::size_t>(config.layers), layer);
    info.undefined = {
        {"zero features", "it has no feature map that could switch keys off"},
        {"conversion", "it is recurrent from the start: there is no softmax attention to replace"},
    };
    return info;
}

} // namespace lens::mamba
