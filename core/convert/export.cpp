#include "convert/export.h"

#include "checkpoint/writer.h"
#include "mixer/decay.h"
#include "model/decoder.h"
#include "tensor/torchbridge.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

Result<std::shared_ptr<const Decoder>> decoderOf(const LanguageModel &model)
{
    if (const auto *decoder = dynamic_cast<const Decoder *>(&model))
        return decoder->expanded();
    return fail(ErrorCode::Unsupported, "only Llama, Mistral, open_lm models and their conversions can be saved", "export");
}

bool sameSlopes(const std::vector<double> &a, const std::vector<double> &b)
{
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::abs(a[i] - b[i]) > 1e-12)
            return false;
    return a.size() == b.size();
}

/// The open_lm keys for a decay vector; nothing when it is none that open_lm knows.
std::optional<nlohmann::json> decayKeys(const MixerConfig &mixer)
{
    const int heads = static_cast<int>(mixer.heads);
    if (sameSlopes(mixer.slopes, decaySlopes(DecayKind::None, heads)))
        return nlohmann::json{{"use_decay", false}, {"use_retnet_slopes", false}, {"decay_start", nullptr}};
    if (sameSlopes(mixer.slopes, decaySlopes(DecayKind::RetNet, heads)))
        return nlohmann::json{{"use_decay", true}, {"use_retnet_slopes", true}, {"decay_start", nullptr}};
    if (sameSlopes(mixer.slopes, decaySlopes(DecayKind::Lightning, heads)))
        return nlohmann::json{{"use_decay", true}, {"use_retnet_slopes", false}, {"decay_start", nullptr}};
    if (sameSlopes(mixer.slopes, decaySlopes(DecayKind::Lightning, heads, mixer.slopes.front())))
        return nlohmann::json{{"use_decay", true}, {"use_retnet_slopes", false}, {"decay_start", mixer.slopes.front()}};
    return std::nullopt;
}

std::optional<std::string> inexpressible(const DecoderConfig &config, const NamedTensors &weights)
{
    const MixerConfig &first = config.layers.front();
    for (const MixerConfig &mixer : config.layers)
        if (mixer != first)
            return "layers that differ from each other";
    if (first.normalises())
        return std::string(name(first.kind)) + " layers";
    if (first.isLinear() && first.features != FeatureMapForm::SharedRelu)
        return "another feature map than one ReLU over all heads";
    if (first.isLinear() && first.sharedFeatures != (first.heads == first.kvHeads))
        return "one feature map for grouped queries and keys";
    if (first.isLinear() && !decayKeys(first))
        return "this decay vector";
    if (first.slidingWindow > 0)
        return "a sliding window";
    if (!first.isLinear() && first.inputDim * first.heads != config.hiddenSize)
        return "a head size other than hidden size / heads";
    if (first.isLinear() && first.inputDim * first.heads != config.hiddenSize)
        return "a projection wider than the hidden size";
    const RopeConfig &rope = first.rope;
    const bool scalable = rope.scaling == RopeConfig::Scaling::None || rope.scaling == RopeConfig::Scaling::Linear;
    if (rope.layout != RopeConfig::Layout::None && (!scalable || !rope.divisors.empty() || rope.dimensions != first.inputDim))
        return "this RoPE scaling";
    if (config.norm.kind == NormConfig::Kind::Rms && static_cast<float>(config.norm.epsilon) != 1e-5f)
        return "a norm epsilon other than 1e-5";
    if (config.feedForward.kind != FeedForwardConfig::Kind::SwiGlu)
        return "this feed-forward type";
    for (const auto &[name, tensor] : weights)
        if (name.ends_with(".bias") && name.find("norm") == std::string::npos && name.find("feature_map") == std::string::npos)
            return "projection biases";
    return std::nullopt;
}

const char *normName(const NormConfig &norm)
{
    if (norm.kind == NormConfig::Kind::Rms)
        return "rms_norm";
    if (norm.hasBias)
        return "default_layer_norm";
    return norm.hasWeight ? "gain_only_layer_norm" : "no_wb_layer_norm";
}

nlohmann::json openLmConfig(const DecoderConfig &config)
{
    const MixerConfig &mixer = config.layers.front();
    nlohmann::json json{{"hidden_dim", config.hiddenSize}, {"intermediate_dim_ffn", config.feedForward.width},
                        {"n_layers", config.layers.size()}, {"n_heads", mixer.heads}, {"n_heads_kv", mixer.kvHeads},
                        {"seq_len", config.trainedContext}, {"vocab_size", config.vocabulary},
                        {"post_embed_norm", config.embeddingNorm}, {"weight_tying", config.tiedEmbeddings},
                        {"qk_norm", mixer.queryKeyNorm}, {"model_norm", normName(config.norm)}, {"ffn_type", "swiglu"},
                        {"positional_embedding_type", mixer.rope.layout == RopeConfig::Layout::None ? "none" : "rotary"},
                        {"rotary_base_frequency", mixer.rope.base},
                        {"rotary_scale", mixer.rope.scaling == RopeConfig::Scaling::Linear ? mixer.rope.factor : 1.0}};
    if (mixer.isLinear()) {
        json.update({{"attn_name", "linear_attn"}, {"qk_head_dim", mixer.keyDim}, {"v_head_dim", mixer.valueDim}});
        json.update(*decayKeys(mixer));
    }
    return json;
}

/// Brings neighbouring rope pairs (2i, 2i+1) to (i, i + d/2) along dimension 0.
at::Tensor toHalfSplit(const at::Tensor &rows, std::int64_t heads)
{
    std::vector<std::int64_t> shape{heads, rows.size(0) / heads / 2, 2};
    for (std::int64_t d = 1; d < rows.dim(); ++d)
        shape.push_back(rows.size(d));
    return rows.reshape(shape).transpose(1, 2).reshape(rows.sizes());
}

class OpenLmWeights {
public:
    OpenLmWeights(const DecoderConfig &config, const NamedTensors &weights)
        : m_mixer(config.layers.front()), m_weights(weights),
          m_reorder(m_mixer.rope.layout == RopeConfig::Layout::Interleaved)
    {
        put("tok_embeddings.weight", weight("embedding.weight"));
        put("output.weight", weight(config.tiedEmbeddings ? "embedding.weight" : "output.weight"));
        putNorm("norm", "norm");
        putNorm("post_embed_norm", "embedding_norm");
        for (std::size_t i = 0; i < config.layers.size(); ++i)
            putLayer("layers." + std::to_string(i));
    }

    const NamedTensors &stateDict() const { return m_stateDict; }

private:
    at::Tensor weight(const std::string &name) const { return m_weights.at(name).to(at::kCPU, at::kFloat); }
    void put(const std::string &name, const at::Tensor &tensor) { m_stateDict[name] = tensor.contiguous(); }

    void putNorm(const std::string &stored, const std::string &own)
    {
        for (const char *part : {".weight", ".bias"})
            if (m_weights.contains(own + part))
                put(stored + part, weight(own + part));
    }

    at::Tensor ordered(const at::Tensor &rows, std::int64_t heads) const { return m_reorder ? toHalfSplit(rows, heads) : rows; }

    void putFeatureMap(const std::string &stored, const std::string &own, std::int64_t heads)
    {
        const at::Tensor columns = ordered(weight(own + ".weight").t().contiguous(), heads).t();
        put(stored + ".weight", ordered(columns.contiguous(), heads));
        put(stored + ".bias", ordered(weight(own + ".bias"), heads));
    }

    void putLayer(const std::string &layer)
    {
        const std::string attention = layer + ".attention", own = layer + ".mixer";
        put(attention + ".in_proj.weight", at::cat({ordered(weight(own + ".q.weight"), m_mixer.heads),
                                                    ordered(weight(own + ".k.weight"), m_mixer.kvHeads),
                                                    weight(own + ".v.weight")}));
        put(attention + ".out_proj.weight", weight(own + ".out.weight"));
        if (m_mixer.isLinear()) {
            putFeatureMap(attention + "._totrain_embed", own + ".feature_map", m_mixer.heads);
            if (!m_mixer.sharedFeatures)
                putFeatureMap(attention + "._totrain_embed_kv", own + ".feature_map_k", m_mixer.kvHeads);
        }
        const std::string prefix = m_mixer.isLinear() ? "._totrain_" : ".";
        putNorm(attention + prefix + "q_norm", own + ".q_norm");
        putNorm(attention + prefix + "k_norm", own + ".k_norm");
        put(layer + ".feed_forward.w12.weight", at::cat({weight(layer + ".ffn.gate.weight"), weight(layer + ".ffn.up.weight")}));
        put(layer + ".feed_forward.w3.weight", weight(layer + ".ffn.down.weight"));
        putNorm(layer + ".attention_norm", layer + ".mixer_norm");
        putNorm(layer + ".ffn_norm", layer + ".ffn_norm");
    }

    MixerConfig m_mixer;
    const NamedTensors &m_weights;
    bool m_reorder;
    NamedTensors m_stateDict;
};

Result<void> makeFolder(const std::filesystem::path &folder)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder.string());
    return {};
}

} // namespace

Result<void> exportNative(const LanguageModel &model, const std::filesystem::path &folder, std::stop_token stop,
                          const ProgressFn &progress)
{
    const auto decoder = decoderOf(model);
    if (!decoder)
        return propagate(decoder);
    return guarded(folder.string(), [&]() -> Result<void> {
        if (auto made = makeFolder(folder); !made)
            return made;
        NamedTensors weights;
        for (const auto &[name, tensor] : (*decoder)->weights())
            weights.emplace(name, tensor.to(at::kCPU).contiguous());
        if (auto written = writeSafetensors(folder / "model.safetensors", weights, {{"format", "pt"}}, stop, progress); !written)
            return written;
        return writeFileAtomically(folder / "config.json", toJson((*decoder)->config()).dump(1) + "\n");
    });
}

Result<void> exportOpenLm(const LanguageModel &model, const std::filesystem::path &folder, std::stop_token stop,
                          const ProgressFn &progress)
{
    const auto decoder = decoderOf(model);
    if (!decoder)
        return propagate(decoder);
    const DecoderConfig &config = (*decoder)->config();
    if (const auto what = inexpressible(config, (*decoder)->weights()))
        return fail(ErrorCode::Unsupported, "open_lm cannot express " + *what, "export", "write it in the supralens format instead");
    return guarded(folder.string(), [&]() -> Result<void> {
        if (auto made = makeFolder(folder); !made)
            return made;
        const OpenLmWeights weights(config, (*decoder)->weights());
        return writeOpenLm(folder, openLmConfig(config), weights.stateDict(), stop, progress);
    });
}

} // namespace lens
