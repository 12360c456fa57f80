#include "model/llamaarchitecture.h"

#include "model/configreader.h"
#include "model/weightplan.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;
constexpr std::int64_t kMostContext = std::int64_t{1} << 40;

MixerConfig softmaxMixer(std::int64_t heads, std::int64_t kvHeads, std::int64_t headDim)
{
    MixerConfig mixer;
    mixer.heads = heads;
    mixer.kvHeads = kvHeads;
    mixer.inputDim = mixer.keyDim = mixer.valueDim = headDim;
    mixer.rope.dimensions = headDim;
    return mixer;
}

std::int64_t headSize(ConfigReader &reader, std::int64_t hidden, std::int64_t heads)
{
    if (heads > 0 && hidden % heads == 0)
        return hidden / heads;
    reader.reject(ErrorCode::Malformed, std::to_string(heads) + " heads do not divide the hidden size " + std::to_string(hidden));
    return 1;
}

/// YaRN's factor on queries and keys; 0 where only the scaling factor determines it.
double yarnAttentionFactor(ConfigReader &scaling, double factor)
{
    const double given = scaling.number("attention_factor", 0, 1e6, 0.0);
    const double mscale = scaling.number("mscale", 0, 1e6, 0.0), allDimensions = scaling.number("mscale_all_dim", 0, 1e6, 0.0);
    if (given > 0 || mscale == 0 || allDimensions == 0)
        return given;
    const double growth = 0.1 * std::log(std::max(factor, 1.0));
    return (mscale * growth + 1) / (allDimensions * growth + 1);
}

/// The rope section that transformers 4 (rope_theta, rope_scaling) and 5 (rope_parameters) write.
RopeConfig huggingFaceRope(ConfigReader &reader, std::int64_t headDim, std::int64_t context)
{
    static const nlohmann::json none = nlohmann::json::object();
    const char *section = reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
    const bool present = reader.has(section) && reader.object().at(section).is_object();
    ConfigReader scaling(present ? reader.object().at(section) : none, "config.json, " + std::string(section));

    RopeConfig rope;
    rope.base = scaling.has("rope_theta") ? scaling.number("rope_theta", 1e-3, 1e15)
                                          : reader.number("rope_theta", 1e-3, 1e15, 10000.0);
    const double part = reader.number("partial_rotary_factor", 0.01, 1, 1.0);
    rope.dimensions = static_cast<std::int64_t>(static_cast<double>(headDim) * part);
    const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
    const auto originalContext = [&] {  // beside the section it outranks the one within
        constexpr const char *key = "original_max_position_embeddings";
        return reader.has(key) ? reader.integer(key, 1, kMostContext) : scaling.integer(key, 1, kMostContext, context);
    };
    if (type == "linear") {
        rope.scaling = RopeConfig::Scaling::Linear;
        rope.factor = scaling.number("factor", 1e-6, 1e9);
    } else if (type == "llama3") {
        rope.scaling = RopeConfig::Scaling::Llama3;
        rope.factor = scaling.number("factor", 1e-6, 1e9);
        rope.lowFrequencyFactor = scaling.number("low_freq_factor", 1e-6, 1e9);
        rope.highFrequencyFactor = scaling.number("high_freq_factor", 1e-6, 1e9);
        rope.originalContext = originalContext();
        if (rope.highFrequencyFactor == rope.lowFrequencyFactor)
            scaling.reject(ErrorCode::Malformed, "\"high_freq_factor\" equals \"low_freq_factor\"");
    } else if (type == "yarn") {
        rope.scaling = RopeConfig::Scaling::Yarn;
        rope.originalContext = originalContext();
        rope.factor = scaling.number("factor", 1e-6, 1e9, static_cast<double>(context) / static_cast<double>(rope.originalContext));
        rope.betaFast = scaling.number("beta_fast", 1e-6, 1e9, 32.0);
        rope.betaSlow = scaling.number("beta_slow", 1e-6, 1e9, 1.0);
        rope.attentionFactor = yarnAttentionFactor(scaling, rope.factor);
        rope.wholeDimensions = scaling.boolean("truncate", true);
    } else if (type != "default") {
        scaling.reject(ErrorCode::Unsupported, "the RoPE scaling \"" + type + "\" is not supported",
                       "none, linear, llama3 and yarn are");
    }
    if (scaling.error())
        reader.reject(scaling.error()->code, scaling.error()->what, scaling.error()->advice);
    return rope;
}

void addBlock(WeightPlan &plan, std::size_t layer, const std::string &from,
              const std::vector<std::pair<const char *, const char *>> &names)
{
    for (const auto &[own, stored] : names)
        plan["layers." + std::to_string(layer) + "." + own] = {from + stored, 0, -1};
}

void addBiases(WeightPlan &plan, const Checkpoint &checkpoint, const std::string &part)
{
    WeightPlan biases;
    for (const auto &[own, source] : plan) {
        if (own.find(part) == std::string::npos || !source.stored.ends_with(".weight"))
            continue;
        const std::string stored = source.stored.substr(0, source.stored.size() - 6) + "bias";
        if (checkpoint.find(stored))
            biases[own.substr(0, own.size() - 6) + "bias"] = {stored, 0, -1};
    }
    plan.merge(biases);
}

WeightPlan huggingFaceWeights(const DecoderConfig &config)
{
    WeightPlan plan;
    plan["embedding.weight"] = {"model.embed_tokens.weight", 0, -1};
    plan["norm.weight"] = {"model.norm.weight", 0, -1};
    if (!config.tiedEmbeddings)
        plan["output.weight"] = {"lm_head.weight", 0, -1};
    for (std::size_t i = 0; i < config.layers.size(); ++i)
        addBlock(plan, i, "model.layers." + std::to_string(i) + ".",
                 {{"mixer.q.weight", "self_attn.q_proj.weight"}, {"mixer.k.weight", "self_attn.k_proj.weight"},
                  {"mixer.v.weight", "self_attn.v_proj.weight"}, {"mixer.out.weight", "self_attn.o_proj.weight"},
                  {"ffn.gate.weight", "mlp.gate_proj.weight"}, {"ffn.up.weight", "mlp.up_proj.weight"},
                  {"ffn.down.weight", "mlp.down_proj.weight"}, {"mixer_norm.weight", "input_layernorm.weight"},
                  {"ffn_norm.weight", "post_attention_layernorm.weight"}});
    return plan;
}

WeightPlan ggufWeights(const DecoderConfig &config)
{
    WeightPlan plan;
    plan["embedding.weight"] = {"token_embd.weight", 0, -1};
    plan["norm.weight"] = {"output_norm.weight", 0, -1};
    if (!config.tiedEmbeddings)
        plan["output.weight"] = {"output.weight", 0, -1};
    for (std::size_t i = 0; i < config.layers.size(); ++i)
        addBlock(plan, i, "blk." + std::to_string(i) + ".",
                 {{"mixer.q.weight", "attn_q.weight"}, {"mixer.k.weight", "attn_k.weight"}, {"mixer.v.weight", "attn_v.weight"},
                  {"mixer.out.weight", "attn_output.weight"}, {"ffn.gate.weight", "ffn_gate.weight"},
                  {"ffn.up.weight", "ffn_up.weight"}, {"ffn.down.weight", "ffn_down.weight"},
                  {"mixer_norm.weight", "attn_norm.weight"}, {"ffn_norm.weight", "ffn_norm.weight"}});
    return plan;
}

Result<DecoderPlan> finish(const ConfigReader &reader, DecoderPlan plan, const std::string &where)
{
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    if (auto valid = validate(plan.config, where); !valid)
        return propagate(valid);
    return plan;
}

Result<DecoderPlan> huggingFacePlan(const Checkpoint &checkpoint)
{
    const std::string where = checkpoint.path().string() + ", config.json";
    ConfigReader reader(checkpoint.config(), where);
    DecoderPlan plan;
    DecoderConfig &config = plan.config;
    config.architecture = reader.text("model_type", "llama");
    const bool mistral = config.architecture == "mistral";
    config.vocabulary = reader.integer("vocab_size", 1, std::int64_t{1} << 31, 32000);
    config.hiddenSize = reader.integer("hidden_size", 1, kMostWidth);
    config.feedForward.width = reader.integer("intermediate_size", 1, kMostWidth);
    const std::int64_t layers = reader.integer("num_hidden_layers", 1, kMostLayers);
    const std::int64_t heads = reader.integer("num_attention_heads", 1, kMostWidth);
    const bool kvAbsent = !checkpoint.config().contains("num_key_value_heads");
    const std::int64_t kvHeads = reader.integer("num_key_value_heads", 1, kMostWidth, mistral && kvAbsent ? 8 : heads);
    config.trainedContext = reader.integer("max_position_embeddings", 1, kMostContext, mistral ? 131072 : 2048);
    config.norm.epsilon = reader.number("rms_norm_eps", 0, 1, 1e-6);
    config.tiedEmbeddings = reader.boolean("tie_word_embeddings", false);
    const std::string activation = reader.text("hidden_act", "silu");
    if (activation != "silu" && activation != "swish")
        reader.reject(ErrorCode::Unsupported, "the activation \"" + activation + "\" is not supported", "Llama and Mistral use silu");
    const std::int64_t headDim = reader.has("head_dim") ? reader.integer("head_dim", 1, kMostWidth)
                                                        : headSize(reader, config.hiddenSize, heads);
    MixerConfig mixer = softmaxMixer(heads, kvHeads, headDim);
    mixer.rope = huggingFaceRope(reader, headDim, config.trainedContext);
    if (mistral && (reader.has("sliding_window") || !checkpoint.config().contains("sliding_window")))
        mixer.slidingWindow = reader.integer("sliding_window", 1, kMostContext, 4096);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    config.layers.assign(static_cast<std::size_t>(layers), mixer);
    plan.weights = huggingFaceWeights(config);
    if (reader.boolean("attention_bias", false))
        addBiases(plan.weights, checkpoint, ".mixer.");
    if (reader.boolean("mlp_bias", false))
        addBiases(plan.weights, checkpoint, ".ffn.");
    return finish(reader, std::move(plan), where);
}

/// Meta's row order: neighbouring elements form a rope pair, so that weights need not be reordered.
RopeConfig ggufRope(ConfigReader &reader, const Checkpoint &checkpoint, std::int64_t headDim, std::int64_t context)
{
    RopeConfig rope;
    rope.layout = RopeConfig::Layout::Interleaved;
    rope.dimensions = reader.integer("llama.rope.dimension_count", 2, kMostWidth, headDim);
    rope.base = reader.number("llama.rope.freq_base", 1e-3, 1e15, 10000.0);
    const std::string type = reader.text("llama.rope.scaling.type", "none");
    if (type == "linear") {
        rope.scaling = RopeConfig::Scaling::Linear;
        rope.factor = reader.number("llama.rope.scaling.factor", 1e-6, 1e9, 1.0);
    } else if (type == "yarn") {
        rope.scaling = RopeConfig::Scaling::Yarn;
        rope.factor = reader.number("llama.rope.scaling.factor", 1e-6, 1e9, 1.0);
        rope.originalContext = reader.integer("llama.rope.scaling.original_context_length", 1, kMostContext, context);
    } else if (type != "none") {
        reader.reject(ErrorCode::Unsupported, "the RoPE scaling \"" + type + "\" is not supported");
    }
    if (checkpoint.find("rope_freqs.weight")) {
        const auto divisors = checkpoint.load("rope_freqs.weight", DType::F32);
        if (!divisors) {
            reader.reject(divisors.error().code, divisors.error().what);
            return rope;
        }
        const at::Tensor values = divisors->contiguous().flatten();
        const float *data = values.const_data_ptr<float>();
        rope.divisors.assign(data, data + values.numel());
    }
    return rope;
}

Result<DecoderPlan> ggufPlan(const Checkpoint &checkpoint)
{
    const std::string where = checkpoint.path().string() + ", metadata";
    ConfigReader reader(checkpoint.config(), where);
    DecoderPlan plan;
    DecoderConfig &config = plan.config;
    config.architecture = "llama";
    const TensorInfo *embedding = checkpoint.find("token_embd.weight");
    if (!embedding || embedding->shape.size() != 2)
        return fail(ErrorCode::Mismatch, "the tensor token_embd.weight is missing", checkpoint.path().string());
    config.vocabulary = embedding->shape[0];
    config.hiddenSize = reader.integer("llama.embedding_length", 1, kMostWidth);
    config.feedForward.width = reader.integer("llama.feed_forward_length", 1, kMostWidth);
    const std::int64_t layers = reader.integer("llama.block_count", 1, kMostLayers);
    const std::int64_t heads = reader.integer("llama.attention.head_count", 1, kMostWidth);
    const std::int64_t kvHeads = reader.integer("llama.attention.head_count_kv", 1, kMostWidth, heads);
    config.trainedContext = reader.integer("llama.context_length", 1, kMostContext, 2048);
    config.norm.epsilon = reader.number("llama.attention.layer_norm_rms_epsilon", 0, 1, 1e-5);
    config.tiedEmbeddings = !checkpoint.find("output.weight");
    const std::int64_t keyLength = reader.has("llama.attention.key_length")
                                       ? reader.integer("llama.attention.key_length", 1, kMostWidth)
                                       : headSize(reader, config.hiddenSize, heads);
    MixerConfig mixer = softmaxMixer(heads, kvHeads, keyLength);
    mixer.valueDim = reader.integer("llama.attention.value_length", 1, kMostWidth, keyLength);
    mixer.slidingWindow = reader.integer("llama.attention.sliding_window", 0, kMostContext, 0);
    mixer.rope = ggufRope(reader, checkpoint, keyLength, config.trainedContext);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    config.layers.assign(static_cast<std::size_t>(layers), mixer);
    plan.weights = ggufWeights(config);
    addBiases(plan.weights, checkpoint, ".mixer.");
    addBiases(plan.weights, checkpoint, ".ffn.");
    return finish(reader, std::move(plan), where);
}

Result<DecoderPlan> llama2cPlan(const Checkpoint &checkpoint)
{
    const std::string where = checkpoint.path().string() + ", header";
    ConfigReader reader(checkpoint.config(), where);
    DecoderPlan plan;
    DecoderConfig &config = plan.config;
    config.architecture = "llama";
    config.hiddenSize = reader.integer("dim", 1, kMostWidth);
    config.feedForward.width = reader.integer("hidden_dim", 1, kMostWidth);
    const std::int64_t layers = reader.integer("n_layers", 1, kMostLayers);
    const std::int64_t heads = reader.integer("n_heads", 1, kMostWidth);
    const std::int64_t kvHeads = reader.integer("n_kv_heads", 1, kMostWidth);
    config.vocabulary = reader.integer("vocab_size", 1, std::int64_t{1} << 31);
    config.trainedContext = reader.integer("seq_len", 1, kMostContext);
    config.tiedEmbeddings = reader.boolean("shared_classifier", true);
    MixerConfig mixer = softmaxMixer(heads, kvHeads, headSize(reader, config.hiddenSize, heads));
    mixer.rope.layout = RopeConfig::Layout::Interleaved;
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    config.layers.assign(static_cast<std::size_t>(layers), mixer);
    plan.weights = huggingFaceWeights(config);
    return finish(reader, std::move(plan), where);
}

Result<DecoderPlan> planFor(const Checkpoint &checkpoint)
{
    switch (checkpoint.format()) {
    case CheckpointFormat::Gguf: return ggufPlan(checkpoint);
    case CheckpointFormat::Llama2c: return llama2cPlan(checkpoint);
    default: return huggingFacePlan(checkpoint);
    }
}

} // namespace

bool LlamaArchitecture::recognises(const Checkpoint &checkpoint) const
{
    const nlohmann::json &config = checkpoint.config();
    const auto says = [&](const char *key, std::initializer_list<const char *> values) {
        const auto found = config.is_object() ? config.find(key) : config.end();
        return found != config.end() && found->is_string()
               && std::find(values.begin(), values.end(), found->get_ref<const std::string &>()) != values.end();
    };
    switch (checkpoint.format()) {
    case CheckpointFormat::Llama2c: return true;
    case CheckpointFormat::Gguf: return says("general.architecture", {"llama"});
    case CheckpointFormat::HuggingFace: return says("model_type", {"llama", "mistral"});
    case CheckpointFormat::OpenLm: return false;
    }
    return false;
}

Result<ModelInfo> LlamaArchitecture::inspect(const Checkpoint &checkpoint) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    return inspectPlan(checkpoint, *plan);
}

Result<LanguageModelPtr> LlamaArchitecture::build(const Checkpoint &checkpoint, const BuildOptions &options) const
{
    const auto plan = planFor(checkpoint);
    if (!plan)
        return propagate(plan);
    return buildDecoder(checkpoint, *plan, options);
}

} // namespace lens
