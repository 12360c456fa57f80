#include "model/openlmarchitecture.h"

#include "mixer/decay.h"
#include "model/configreader.h"
#include "model/weightplan.h"

#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;

/// The Hugging Face wrapper renamed three keys.
const char *either(const ConfigReader &reader, const char *key, const char *renamed)
{
    return reader.has(renamed) ? renamed : key;
}

NormConfig normConfig(ConfigReader &reader)
{
    NormConfig norm;
    norm.epsilon = reader.number("norm_eps", 0, 1, 1e-5);
    const std::string kind = reader.text(either(reader, "model_norm", "norm_type"), "default_layer_norm");
    if (kind == "rms_norm")
        return norm;
    norm.kind = NormConfig::Kind::Layer;
    if (kind == "default_layer_norm" || kind == "lp_layer_norm")
        norm.hasBias = true;
    else if (kind == "no_wb_layer_norm")
        norm.hasWeight = false;
    else if (kind != "gain_only_lp_layer_norm" && kind != "gain_only_layer_norm")
        reader.reject(ErrorCode::Unsupported, "the norm \"" + kind + "\" is not known here");
    return norm;
}

RopeConfig ropeConfig(ConfigReader &reader, std::int64_t headDim)
{
    RopeConfig rope;
    rope.dimensions = headDim;
    const std::string kind = reader.text("positional_embedding_type", "rotary");
    if (kind == "rotary") {
        rope.base = reader.number("rotary_base_frequency", 1e-3, 1e15, 10000.0);
        rope.factor = reader.number("rotary_scale", 1e-6, 1e9, 1.0);
        if (rope.factor != 1.0)
            rope.scaling = RopeConfig::Scaling::Linear;
    } else if (kind == "llama_rotary") {
        rope.layout = RopeConfig::Layout::Interleaved;  // the reference ignores base and scale here
    } else if (kind == "none") {
        rope.layout = RopeConfig::Layout::None;
    } else {
        reader.reject(ErrorCode::Unsupported, "the positional embedding \"" + kind + "\" is not supported",
                      kind == "head_rotary" ? "it rotates by head instead of position, a fault of early open_lm models" : "");
    }
    return rope;
}

std::vector<double> slopes(ConfigReader &reader, std::int64_t heads)
{
    DecayKind kind = DecayKind::None;
    if (reader.boolean("use_decay", false))
        kind = reader.boolean("use_retnet_slopes", false) ? DecayKind::RetNet : DecayKind::Lightning;
    std::optional<double> start;
    if (reader.has("decay_start"))
        start = reader.number("decay_start", 0, 1e6);
    return heads > kMostWidth / 256 ? std::vector<double>() : decaySlopes(kind, static_cast<int>(heads), start);
}

MixerConfig mixerConfig(ConfigReader &reader, const NormConfig &norm, std::int64_t hidden)
{
    MixerConfig mixer;
    mixer.heads = reader.integer("n_heads", 1, 65536);
    mixer.kvHeads = reader.integer("n_heads_kv", 1, 65536, mixer.heads);
    if (hidden % mixer.heads != 0)
        reader.reject(ErrorCode::Malformed, std::to_string(mixer.heads) + " heads do not divide the hidden size " + std::to_string(hidden));
    mixer.inputDim = std::max<std::int64_t>(1, hidden / mixer.heads);
    mixer.keyDim = mixer.valueDim = mixer.inputDim;
    mixer.queryKeyNorm = reader.boolean(either(reader, "qk_norm", "apply_qk_norm"), false);
    mixer.queryKeyNormConfig = norm;
    if (reader.text("attn_name", "auto") == "linear_attn") {
        mixer.kind = MixerKind::Supra;
        mixer.keyDim = reader.integer("qk_head_dim", 1, kMostWidth, mixer.inputDim);
        mixer.valueDim = reader.integer("v_head_dim", 1, kMostWidth, mixer.inputDim);
        mixer.features = FeatureMapForm::SharedRelu;
        mixer.sharedFeatures = mixer.kvHeads == mixer.heads;
        mixer.slopes = slopes(reader, mixer.heads);
    } else if (mixer.queryKeyNorm && mixer.kvHeads != mixer.heads) {
        reader.reject(ErrorCode::Unsupported, "open_lm's softmax attention has no query/key norm with grouped keys");
    }
    mixer.rope = ropeConfig(reader, mixer.inputDim);
    if (mixer.rope.layout != RopeConfig::Layout::None && mixer.keyDim != mixer.inputDim)
        reader.reject(ErrorCode::Unsupported, "rotary positions need \"qk_head_dim\" to be the head size");
    return mixer;
}

void addNorm(WeightPlan &plan, const std::string &own, const std::string &stored, const NormConfig &norm)
{
    if (norm.hasWeight)
        plan[own + ".weight"] = {stored + ".weight", 0, -1};
    if (norm.hasBias)
        plan[own + ".bias"] = {stored + ".bias", 0, -1};
}

void addMixer(WeightPlan &plan, const std::string &own, const std::string &stored, const MixerConfig &mixer)
{
    const std::int64_t q = mixer.heads * mixer.inputDim, k = mixer.kvHeads * mixer.inputDim, v = mixer.kvHeads * mixer.valueDim;
    plan[own + ".q.weight"] = {stored + ".in_proj.weight", 0, q};
    plan[own + ".k.weight"] = {stored + ".in_proj.weight", q, k};
    plan[own + ".v.weight"] = {stored + ".in_proj.weight", q + k, v};
    plan[own + ".out.weight"] = {stored + ".out_proj.weight", 0, -1};
    if (mixer.isLinear()) {
        for (const char *part : {".weight", ".bias"}) {
            plan[own + ".feature_map" + part] = {stored + "._totrain_embed" + part, 0, -1};
            if (!mixer.sharedFeatures)
                plan[own + ".feature_map_k" + part] = {stored + "._totrain_embed_kv" + part, 0, -1};
        }
    }
    if (mixer.queryKeyNorm) {
        const std::string prefix = mixer.isLinear() ? "._totrain_" : ".";
        addNorm(plan, own + ".q_norm", stored + prefix + "q_norm", mixer.queryKeyNormConfig);
        addNorm(plan, own + ".k_norm", stored + prefix + "k_norm", mixer.queryKeyNormConfig);
    }
}

/// Width and tensor names of the feed-forward part follow from its kind and from the stored shapes.
class FeedForwardPlan {
public:
    FeedForwardPlan(ConfigReader &reader, const Checkpoint &checkpoint) : m_type(reader.text("ffn_type", "swiglu"))
    {
        if (m_type == "swiglu" || m_type == "swiglu_torch" || m_type == "swiglu_pytorch")
            m_config.width = columns(checkpoint, "layers.0.feed_forward.w3.weight");
        else if (m_type == "gelu") {
            m_config.kind = FeedForwardConfig::Kind::Gelu;
            m_gelu = checkpoint.find("layers.0._ff_w1.weight") ? "._ff_w" : ".feed_forward.";
            m_config.width = columns(checkpoint, "layers.0" + m_gelu + "2.weight");
        } else if (m_type == "gemma_geglu") {
            m_config.kind = FeedForwardConfig::Kind::GeGlu;
            m_config.width = columns(checkpoint, "layers.0.feed_forward.down_proj.weight");
        } else {
            reader.reject(ErrorCode::Unsupported, "the feed-forward type \"" + m_type + "\" is not supported");
        }
    }

    const FeedForwardConfig &config() const { return m_config; }

    void add(WeightPlan &plan, const std::string &layer, const Checkpoint &checkpoint) const
    {
        const std::string own = layer + ".ffn.", stored = layer + ".feed_forward.";
        if (m_config.kind == FeedForwardConfig::Kind::SwiGlu) {
            plan[own + "gate.weight"] = {stored + "w12.weight", 0, m_config.width};
            plan[own + "up.weight"] = {stored + "w12.weight", m_config.width, m_config.width};
            plan[own + "down.weight"] = {stored + "w3.weight", 0, -1};
        } else if (m_config.kind == FeedForwardConfig::Kind::Gelu) {
            const bool named = m_gelu == "._ff_w";
            addOne(plan, own + "up", layer + m_gelu + (named ? "1" : "0"), checkpoint);
            addOne(plan, own + "down", layer + m_gelu + "2", checkpoint);
        } else {
            for (const char *part : {"gate", "up", "down"})
                addOne(plan, own + part, stored + part + "_proj", checkpoint);
        }
    }

private:
    static std::int64_t columns(const Checkpoint &checkpoint, const std::string &tensor)
    {
        const TensorInfo *info = checkpoint.find(tensor);
        return info && info->shape.size() == 2 ? info->shape[1] : 1;
    }

    static void addOne(WeightPlan &plan, const std::string &own, const std::string &stored, const Checkpoint &checkpoint)
    {
        plan[own + ".weight"] = {stored + ".weight", 0, -1};
        if (checkpoint.find(stored + ".bias"))
            plan[own + ".bias"] = {stored + ".bias", 0, -1};
    }

    std::string m_type;
    std::string m_gelu;
    FeedForwardConfig m_config;
};

Result<DecoderPlan> planFor(const Checkpoint &checkpoint)
{
    const std::string where = checkpoint.path().string() + ", model configuration";
    ConfigReader reader(checkpoint.config(), where);
    DecoderPlan plan;
    DecoderConfig &config = plan.config;
    config.architecture = "open_lm";
    config.hiddenSize = reader.integer(either(reader, "hidden_dim", "dim"), 1, kMostWidth);
    config.vocabulary = reader.integer("vocab_size", 1, std::int64_t{1} << 31);
    config.trainedContext = reader.integer("seq_len", 1, std::int64_t{1} << 40, 2048);
    config.tiedEmbeddings = reader.boolean("weight_tying", false);
    config.embeddingNorm = reader.boolean("post_embed_norm", false);
    config.norm = normConfig(reader);
    const std::int64_t layers = reader.integer("n_layers", 1, 4096);
    const MixerConfig mixer = mixerConfig(reader, config.norm, config.hiddenSize);
    const FeedForwardPlan feedForward(reader, checkpoint);
    config.feedForward = feedForward.config();
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    config.layers.assign(static_cast<std::size_t>(layers), mixer);

    plan.weights["embedding.weight"] = {"tok_embeddings.weight", 0, -1};
    if (!config.tiedEmbeddings)
        plan.weights["output.weight"] = {"output.weight", 0, -1};
    addNorm(plan.weights, "norm", "norm", config.norm);
    if (config.embeddingNorm)
        addNorm(plan.weights, "embedding_norm", "post_embed_norm", config.norm);
    for (std::int64_t i = 0; i < layers; ++i) {
        const std::string layer = "layers." + std::to_string(i);
        addNorm(plan.weights, layer + ".mixer_norm", layer + ".attention_norm", config.norm);
        addNorm(plan.weights, layer + ".ffn_norm", layer + ".ffn_norm", config.norm);
        addMixer(plan.weights, layer + ".mixer", layer + ".attention", mixer);
        feedForward.add(plan.weights, layer, checkpoint);
    }
    if (auto valid = validate(config, where); !valid)
        return propagate(valid);
    return plan;
}

} // namespace

bool OpenLmArchitecture::recognises(const Checkpoint &checkpoint) const
{
    return checkpoint.format() == CheckpointFormat::OpenLm && checkpoint.find("tok_embeddings.weight");
}

Result<ModelInfo> OpenLmArchitecture::inspect(const Checkpoint &checkpoint) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    return inspectPlan(checkpoint, *plan);
}

Result<LanguageModelPtr> OpenLmArchitecture::build(const Checkpoint &checkpoint, const BuildOptions &options) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    return buildDecoder(checkpoint, *plan, options);
}

} // namespace lens
