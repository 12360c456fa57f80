#include "uptrain/scratch.h"

#include "checkpoint/jsonfile.h"
#include "model/configreader.h"
#include "tensor/torchbridge.h"
#include "uptrain/trainableweights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <cmath>

namespace lens {

namespace {

constexpr std::int64_t kMostWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMostLayers = 4096;

Result<DecoderConfig> llamaConfig(const nlohmann::json &json, const std::string &where, std::int64_t vocabulary)
{
    ConfigReader reader(json, where);
    DecoderConfig config;
    config.architecture = "llama";
    config.vocabulary = reader.integer("vocab_size", 1, std::int64_t{1} << 31, vocabulary);
    config.hiddenSize = reader.integer("hidden_size", 1, kMostWidth);
    config.feedForward.width = reader.integer("intermediate_size", 1, kMostWidth);
    config.trainedContext = reader.integer("max_position_embeddings", 1, std::int64_t{1} << 40, 2048);
    config.tiedEmbeddings = reader.boolean("tie_word_embeddings", false);
    config.norm.epsilon = reader.number("rms_norm_eps", 0, 1, 1e-5);
    const std::int64_t layers = reader.integer("num_hidden_layers", 1, kMostLayers);
    MixerConfig mixer;
    mixer.heads = reader.integer("num_attention_heads", 1, kMostWidth);
    mixer.kvHeads = reader.integer("num_key_value_heads", 1, kMostWidth, mixer.heads);
    if (mixer.heads > 0 && config.hiddenSize % mixer.heads != 0 && !reader.has("head_dim"))
        reader.reject(ErrorCode::Malformed, std::to_string(mixer.heads) + " heads do not divide the hidden size");
    const std::int64_t headDim = reader.integer("head_dim", 1, kMostWidth, config.hiddenSize / std::max<std::int64_t>(mixer.heads, 1));
    mixer.inputDim = mixer.keyDim = mixer.valueDim = mixer.rope.dimensions = headDim;
    mixer.rope.base = reader.number("rope_theta", 1e-3, 1e15, 10000.0);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    config.layers.assign(static_cast<std::size_t>(layers), mixer);
    if (auto valid = validate(config, where); !valid)
        return propagate(valid);
    return config;
}

bool writesToResidual(const std::string &name)
{
    return name.ends_with(".mixer.out.weight") || name.ends_with(".ffn.down.weight");
}

class Initialiser {
public:
    Initialiser(const DecoderConfig &config, std::uint64_t seed)
        : m_residual(1.0 / std::sqrt(2.0 * static_cast<double>(config.layers.size()))),
          m_generator(at::make_generator<at::CPUGeneratorImpl>(seed))
    {
    }

    at::Tensor operator()(const std::string &name, const std::vector<std::int64_t> &shape)
    {
        if (isFeatureMap(name)) {
            const std::int64_t inputs = shape.size() > 1 ? shape[1] : shape[0];
            const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
            return at::empty(shape, at::kFloat).uniform_(-bound, bound, m_generator);
        }
        if (name.ends_with(".bias"))
            return at::zeros(shape, at::kFloat);
        if (shape.size() < 2)
            return at::ones(shape, at::kFloat);
        double deviation = name == "embedding.weight" ? 0.02 : 1.0 / std::sqrt(static_cast<double>(shape[1]));
        if (writesToResidual(name))
            deviation *= m_residual;
        return at::empty(shape, at::kFloat).normal_(0.0, deviation, m_generator);
    }

private:
    double m_residual;
    at::Generator m_generator;
};

} // namespace

Result<DecoderConfig> scratchConfig(const std::string &file, std::int64_t vocabulary)
{
    const auto json = readJsonObject(file);
    if (!json)
        return propagate(json);
    const bool own = json->is_object() && json->value("model_type", nlohmann::json()) == "supralens";
    auto config = own ? decoderConfigFromJson(*json, file) : llamaConfig(*json, file, vocabulary);
    if (config && config->vocabulary != vocabulary)
        return fail(ErrorCode::Mismatch, "the configuration has " + std::to_string(config->vocabulary) + " tokens, the tokenizer "
                    + std::to_string(vocabulary), file, "leave \"vocab_size\" out, or choose the tokenizer that belongs to it");
    return config;
}

Result<std::shared_ptr<const Decoder>> scratchDecoder(const DecoderConfig &config, std::uint64_t seed)
{
    return guarded("initialisation", [&]() -> Result<std::shared_ptr<const Decoder>> {
        Initialiser initialise(config, seed);
        NamedTensors weights;
        for (const auto &[name, shape] : requiredTensors(config))
            weights[name] = initialise(name, shape);
        return Decoder::create(config, std::move(weights), "initialisation");
    });
}

} // namespace lens
