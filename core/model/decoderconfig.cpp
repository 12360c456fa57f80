#include "model/decoderconfig.h"

#include "model/configreader.h"

#include <array>
#include <cmath>

namespace lens {

namespace {

constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, const char *>, N>;

constexpr Names<MixerKind, 4> kMixers{{{MixerKind::Softmax, "softmax"}, {MixerKind::Supra, "supra"},
                                       {MixerKind::T2r, "t2r"}, {MixerKind::Linear, "linear"}}};
constexpr Names<FeatureMapForm, 5> kFeatures{{{FeatureMapForm::None, "none"},
                                              {FeatureMapForm::SharedRelu, "shared_relu"},
                                              {FeatureMapForm::PerHeadRelu, "per_head_relu"},
                                              {FeatureMapForm::Elu1, "elu1"},
                                              {FeatureMapForm::Hedgehog, "hedgehog"}}};
constexpr Names<RopeConfig::Layout, 3> kLayouts{{{RopeConfig::Layout::None, "none"},
                                                 {RopeConfig::Layout::HalfSplit, "half_split"},
                                                 {RopeConfig::Layout::Interleaved, "interleaved"}}};
constexpr Names<RopeConfig::Scaling, 4> kScalings{{{RopeConfig::Scaling::None, "none"},
                                                   {RopeConfig::Scaling::Linear, "linear"},
                                                   {RopeConfig::Scaling::Llama3, "llama3"},
                                                   {RopeConfig::Scaling::Yarn, "yarn"}}};
constexpr Names<NormConfig::Kind, 2> kNorms{{{NormConfig::Kind::Rms, "rms"}, {NormConfig::Kind::Layer, "layer"}}};
constexpr Names<FeedForwardConfig::Kind, 3> kFeedForwards{{{FeedForwardConfig::Kind::SwiGlu, "swiglu"},
                                                           {FeedForwardConfig::Kind::GeGlu, "geglu"},
                                                           {FeedForwardConfig::Kind::Gelu, "gelu"}}};

template <class Enum, std::size_t N>
const char *nameIn(const Names<Enum, N> &names, Enum value)
{
    for (const auto &[candidate, text] : names)
        if (candidate == value)
            return text;
    return "";
}

template <class Enum, std::size_t N>
Enum valueIn(ConfigReader &reader, const char *key, const Names<Enum, N> &names)
{
    const std::string text = reader.text(key, names.front().second);
    for (const auto &[value, candidate] : names)
        if (text == candidate)
            return value;
    reader.reject(ErrorCode::Unsupported, "\"" + std::string(key) + "\" is \"" + text + "\", which is not known here");
    return names.front().first;
}

nlohmann::json toJson(const NormConfig &norm)
{
    return {{"kind", nameIn(kNorms, norm.kind)}, {"epsilon", norm.epsilon}, {"weight", norm.hasWeight}, {"bias", norm.hasBias}};
}

nlohmann::json toJson(const RopeConfig &rope)
{
    return {{"layout", nameIn(kLayouts, rope.layout)}, {"dimensions", rope.dimensions}, {"base", rope.base},
            {"scaling", nameIn(kScalings, rope.scaling)}, {"factor", rope.factor},
            {"low_frequency_factor", rope.lowFrequencyFactor}, {"high_frequency_factor", rope.highFrequencyFactor},
            {"beta_fast", rope.betaFast}, {"beta_slow", rope.betaSlow}, {"attention_factor", rope.attentionFactor},
            {"whole_dimensions", rope.wholeDimensions},
            {"original_context", rope.originalContext}, {"divisors", rope.divisors}};
}

nlohmann::json toJson(const MixerConfig &mixer)
{
    return {{"kind", nameIn(kMixers, mixer.kind)}, {"heads", mixer.heads}, {"kv_heads", mixer.kvHeads},
            {"input_dim", mixer.inputDim}, {"key_dim", mixer.keyDim}, {"value_dim", mixer.valueDim},
            {"rope", toJson(mixer.rope)}, {"query_key_norm", mixer.queryKeyNorm},
            {"query_key_norm_config", toJson(mixer.queryKeyNormConfig)}, {"sliding_window", mixer.slidingWindow},
            {"features", nameIn(kFeatures, mixer.features)}, {"shared_features", mixer.sharedFeatures},
            {"feature_floor", mixer.featureFloor}, {"slopes", mixer.slopes}, {"epsilon", mixer.epsilon}};
}

std::vector<double> numbers(ConfigReader &reader, const char *key)
{
    std::vector<double> values;
    if (!reader.has(key))
        return values;
    const nlohmann::json &list = reader.object().at(key);
    if (!list.is_array() || list.size() > 65536) {
        reader.reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is not a list of numbers");
        return values;
    }
    for (const nlohmann::json &value : list) {
        if (!value.is_number()) {
            reader.reject(ErrorCode::Malformed, "\"" + std::string(key) + "\" is not a list of numbers");
            return {};
        }
        values.push_back(value.get<double>());
    }
    return values;
}

const nlohmann::json &child(ConfigReader &reader, const char *key)
{
    static const nlohmann::json empty = nlohmann::json::object();
    return reader.has(key) && reader.object().at(key).is_object() ? reader.object().at(key) : empty;
}

void adopt(ConfigReader &reader, const ConfigReader &inner)
{
    if (inner.error())
        reader.reject(inner.error()->code, inner.error()->what, inner.error()->advice);
}

NormConfig normFrom(ConfigReader &outer, const char *key, const std::string &where)
{
    ConfigReader reader(child(outer, key), where);
    NormConfig norm;
    norm.kind = valueIn(reader, "kind", kNorms);
    norm.epsilon = reader.number("epsilon", 0, 1, 1e-5);
    norm.hasWeight = reader.boolean("weight", true);
    norm.hasBias = reader.boolean("bias", false);
    adopt(outer, reader);
    return norm;
}

RopeConfig ropeFrom(ConfigReader &outer, const std::string &where)
{
    ConfigReader reader(child(outer, "rope"), where);
    RopeConfig rope;
    rope.layout = valueIn(reader, "layout", kLayouts);
    rope.dimensions = reader.integer("dimensions", 0, kMostWidth, 0);
    rope.base = reader.number("base", 1e-3, 1e15, 10000);
    rope.scaling = valueIn(reader, "scaling", kScalings);
    rope.factor = reader.number("factor", 1e-6, 1e9, 1);
    rope.lowFrequencyFactor = reader.number("low_frequency_factor", 1e-6, 1e9, 1);
    rope.highFrequencyFactor = reader.number("high_frequency_factor", 1e-6, 1e9, 4);
    rope.betaFast = reader.number("beta_fast", 1e-6, 1e9, 32);
    rope.betaSlow = reader.number("beta_slow", 1e-6, 1e9, 1);
    rope.attentionFactor = reader.number("attention_factor", 0, 1e6, 0);
    rope.wholeDimensions = reader.boolean("whole_dimensions", true);
    rope.originalContext = reader.integer("original_context", 0, std::int64_t{1} << 40, 0);
    rope.divisors = numbers(reader, "divisors");
    adopt(outer, reader);
    return rope;
}

MixerConfig mixerFrom(ConfigReader &outer, const nlohmann::json &json, const std::string &where)
{
    ConfigReader reader(json, where);
    MixerConfig mixer;
    mixer.kind = valueIn(reader, "kind", kMixers);
    mixer.heads = reader.integer("heads", 1, kMostWidth);
    mixer.kvHeads = reader.integer("kv_heads", 1, kMostWidth);
    mixer.inputDim = reader.integer("input_dim", 1, kMostWidth);
    mixer.keyDim = reader.integer("key_dim", 1, kMostWidth);
    mixer.valueDim = reader.integer("value_dim", 1, kMostWidth);
    mixer.rope = ropeFrom(reader, where);
    mixer.queryKeyNorm = reader.boolean("query_key_norm", false);
    mixer.queryKeyNormConfig = normFrom(reader, "query_key_norm_config", where);
    mixer.slidingWindow = reader.integer("sliding_window", 0, std::int64_t{1} << 40, 0);
    mixer.features = valueIn(reader, "features", kFeatures);
    mixer.sharedFeatures = reader.boolean("shared_features", true);
    mixer.featureFloor = reader.number("feature_floor", 0, 1, 0);
    mixer.slopes = numbers(reader, "slopes");
    mixer.epsilon = reader.number("epsilon", 0, 1, 1e-5);
    adopt(outer, reader);
    return mixer;
}

std::optional<std::string> complaint(const RopeConfig &rope, const MixerConfig &mixer)
{
    if (rope.layout == RopeConfig::Layout::None)
        return {};
    const std::int64_t rotated = mixer.normalises() ? mixer.inputDim : mixer.keyDim;
    if (rope.dimensions <= 0 || rope.dimensions % 2 != 0 || rope.dimensions > rotated)
        return "RoPE rotates " + std::to_string(rope.dimensions) + " of " + std::to_string(rotated) + " dimensions";
    if (!std::isfinite(rope.base) || rope.base <= 0 || !std::isfinite(rope.factor) || rope.factor <= 0)
        return "the RoPE base or factor is not a positive number";
    if (!rope.divisors.empty() && static_cast<std::int64_t>(rope.divisors.size()) != rope.dimensions / 2)
        return "the RoPE divisors do not match the head size";
    const bool needsContext = rope.scaling == RopeConfig::Scaling::Llama3 || rope.scaling == RopeConfig::Scaling::Yarn;
    if (needsContext && rope.originalContext <= 0)
        return "the RoPE scaling needs the original context length";
    return {};
}

std::optional<std::string> complaint(const MixerConfig &mixer)
{
    if (mixer.heads <= 0 || mixer.kvHeads <= 0 || mixer.heads % mixer.kvHeads != 0)
        return std::to_string(mixer.kvHeads) + " kv heads do not divide " + std::to_string(mixer.heads) + " query heads";
    if (mixer.inputDim <= 0 || mixer.keyDim <= 0 || mixer.valueDim <= 0)
        return "a head size is not positive";
    if (mixer.isLinear() && static_cast<std::int64_t>(mixer.slopes.size()) != mixer.heads)
        return "there must be one decay slope per head";
    for (const double slope : mixer.slopes)
        if (!std::isfinite(slope) || slope < 0)
            return "a decay is not in (0, 1]";
    return complaint(mixer.rope, mixer);
}

} // namespace

Result<void> validate(const DecoderConfig &config, const std::string &where)
{
    if (config.layers.empty() || config.layers.size() > static_cast<std::size_t>(kMostLayers))
        return fail(ErrorCode::LimitExceeded, "a model of " + std::to_string(config.layers.size()) + " layers is not possible", where);
    if (config.vocabulary <= 0 || config.hiddenSize <= 0 || config.feedForward.width <= 0)
        return fail(ErrorCode::Malformed, "vocabulary, hidden size or feed-forward width is not positive", where);
    for (std::size_t i = 0; i < config.layers.size(); ++i)
        if (const auto what = complaint(config.layers[i]))
            return fail(ErrorCode::Malformed, *what, where + ", layer " + std::to_string(i));
    return {};
}

nlohmann::json toJson(const DecoderConfig &config)
{
    nlohmann::json layers = nlohmann::json::array();
    for (const MixerConfig &mixer : config.layers)
        layers.push_back(toJson(mixer));
    return {{"model_type", "supralens"}, {"format_version", 1}, {"architecture", config.architecture},
            {"vocabulary", config.vocabulary}, {"hidden_size", config.hiddenSize}, {"trained_context", config.trainedContext},
            {"tied_embeddings", config.tiedEmbeddings}, {"embedding_norm", config.embeddingNorm}, {"norm", toJson(config.norm)},
            {"feed_forward", {{"kind", nameIn(kFeedForwards, config.feedForward.kind)}, {"width", config.feedForward.width}}},
            {"layers", layers}, {"origin", config.origin}, {"untrained", config.untrained}};
}

Result<DecoderConfig> decoderConfigFromJson(const nlohmann::json &json, const std::string &where)
{
    ConfigReader reader(json, where);
    if (reader.integer("format_version", 1, 1 << 20, 1) > 1)
        return fail(ErrorCode::NewerVersion, "the model was written by a newer release", where, "update SUPRA Lens");
    DecoderConfig config;
    config.architecture = reader.text("architecture", "llama");
    config.vocabulary = reader.integer("vocabulary", 1, std::int64_t{1} << 31);
    config.hiddenSize = reader.integer("hidden_size", 1, kMostWidth);
    config.trainedContext = reader.integer("trained_context", 0, std::int64_t{1} << 40, 0);
    config.tiedEmbeddings = reader.boolean("tied_embeddings", false);
    config.embeddingNorm = reader.boolean("embedding_norm", false);
    config.norm = normFrom(reader, "norm", where);
    ConfigReader feedForward(child(reader, "feed_forward"), where);
    config.feedForward.kind = valueIn(feedForward, "kind", kFeedForwards);
    config.feedForward.width = feedForward.integer("width", 1, kMostWidth);
    adopt(reader, feedForward);
    config.origin = reader.text("origin", "");
    config.untrained = reader.boolean("untrained", false);
    if (!reader.has("layers") || !json.at("layers").is_array() || json.at("layers").size() > static_cast<std::size_t>(kMostLayers))
        return fail(ErrorCode::Malformed, "\"layers\" is not a list", where);
    for (const nlohmann::json &layer : json.at("layers"))
        config.layers.push_back(mixerFrom(reader, layer, where));
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    if (auto valid = validate(config, where); !valid)
        return propagate(valid);
    return config;
}

} // namespace lens
