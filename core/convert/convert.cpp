#include "convert/convert.h"

#include "model/decoder.h"
#include "tensor/torchbridge.h"

#include <ATen/CPUGeneratorImpl.h>
#include <cmath>

namespace lens {

namespace {

MixerKind kindFor(ConversionTarget target)
{
    switch (target) {
    case ConversionTarget::Supra: return MixerKind::Supra;
    case ConversionTarget::T2r: return MixerKind::T2r;
    case ConversionTarget::Linear: return MixerKind::Linear;
    }
    return MixerKind::Supra;
}

FeatureMapForm formFor(const ConvertOptions &options)
{
    switch (options.featureMap) {
    case FeatureMapKind::Elu1: return FeatureMapForm::Elu1;
    case FeatureMapKind::Hedgehog: return FeatureMapForm::Hedgehog;
    case FeatureMapKind::ReluPerHead: return FeatureMapForm::PerHeadRelu;
    case FeatureMapKind::Default:
        if (options.target == ConversionTarget::Linear)
            return FeatureMapForm::Elu1;
        break;
    case FeatureMapKind::Relu: break;
    }
    return options.target == ConversionTarget::Supra ? FeatureMapForm::SharedRelu : FeatureMapForm::PerHeadRelu;
}

std::vector<double> slopesFor(const ConvertOptions &options, std::int64_t heads)
{
    const DecayKind own = options.target == ConversionTarget::Supra ? DecayKind::Lightning : DecayKind::None;
    std::vector<double> slopes = decaySlopes(options.decay.value_or(own), static_cast<int>(heads));
    for (std::size_t h = 0; h < options.gammas.size(); ++h)
        slopes[h] = options.gammas[h] < 1 ? -std::log(options.gammas[h]) : 0.0;
    return slopes;
}

/// The softmax layer's mixer as its linear successor. A sliding window has no counterpart: decay takes its place.
MixerConfig successor(const MixerConfig &softmax, const ConvertOptions &options)
{
    MixerConfig mixer = softmax;
    mixer.kind = kindFor(options.target);
    mixer.slidingWindow = 0;
    mixer.features = formFor(options);
    mixer.keyDim = mixer.features == FeatureMapForm::Hedgehog ? 2 * softmax.inputDim : softmax.inputDim;
    const bool learned = mixer.features != FeatureMapForm::Elu1;
    mixer.sharedFeatures = !learned || softmax.kvHeads == softmax.heads;
    mixer.slopes = slopesFor(options, mixer.heads);
    if (mixer.normalises()) {
        mixer.featureFloor = 1e-12;
        mixer.epsilon = 1e-12;
    }
    return mixer;
}

/// Initial feature maps. Random: torch's Linear default, uniform(+-1/sqrt(fan_in)) for weight and bias.
class FeatureInitialiser {
public:
    FeatureInitialiser(const ConvertOptions &options, const at::TensorOptions &tensors)
        : m_init(options.init), m_tensors(tensors), m_generator(at::make_generator<at::CPUGeneratorImpl>(options.seed))
    {
    }

    void add(NamedTensors &weights, const std::string &name, const MixerConfig &mixer, std::int64_t heads)
    {
        const std::int64_t width = heads * mixer.inputDim;
        switch (mixer.features) {
        case FeatureMapForm::SharedRelu:
            weights[name + ".weight"] = identity() ? finish(at::eye(width)) : uniform({width, width}, width);
            weights[name + ".bias"] = identity() ? finish(at::zeros({width})) : uniform({width}, width);
            break;
        case FeatureMapForm::PerHeadRelu:
            weights[name + ".weight"] = perHead(heads, mixer.inputDim);
            weights[name + ".bias"] = identity() ? finish(at::zeros({heads, mixer.keyDim}))
                                                 : uniform({heads, mixer.keyDim}, mixer.inputDim);
            break;
        case FeatureMapForm::Hedgehog:
            weights[name + ".weight"] = perHead(heads, mixer.inputDim);
            break;
        case FeatureMapForm::None:
        case FeatureMapForm::Elu1:
            break;
        }
    }

private:
    bool identity() const { return m_init == FeatureInit::Identity; }
    at::Tensor finish(const at::Tensor &values) const { return values.to(m_tensors.device(), m_tensors.dtype().toScalarType()); }

    at::Tensor uniform(at::IntArrayRef shape, std::int64_t fanIn)
    {
        const double bound = 1.0 / std::sqrt(static_cast<double>(fanIn));
        return finish(at::empty(shape, at::kFloat).uniform_(-bound, bound, m_generator));
    }

    at::Tensor perHead(std::int64_t heads, std::int64_t dim)
    {
        return identity() ? finish(at::eye(dim).expand({heads, dim, dim}).contiguous()) : uniform({heads, dim, dim}, dim);
    }

    FeatureInit m_init;
    at::TensorOptions m_tensors;
    at::Generator m_generator;
};

/// SUPRA's norm spans the heads of the features, after grouped keys were repeated, so the softmax layer's does not fit.
Result<void> convertible(const DecoderConfig &config, const std::vector<std::int64_t> &layers, const std::vector<double> &gammas)
{
    for (const double gamma : gammas)
        if (!(gamma > 0 && gamma <= 1))
            return fail(ErrorCode::InvalidArgument, "a decay is not above 0 and up to 1", "conversion");
    for (const std::int64_t layer : layers) {
        if (layer >= static_cast<std::int64_t>(config.layers.size()))
            return fail(ErrorCode::InvalidArgument, "there is no layer " + std::to_string(layer) + "; the model has "
                        + std::to_string(config.layers.size()), "conversion");
        const MixerConfig &mixer = config.layers[static_cast<std::size_t>(layer)];
        if (mixer.isLinear())
            return fail(ErrorCode::Unsupported, "layer " + std::to_string(layer) + " is not softmax attention but "
                        + std::string(name(mixer.kind)), "conversion", "choose a softmax model, or other layers");
        if (mixer.queryKeyNorm)
            return fail(ErrorCode::Unsupported, "models with query/key norm are not converted", "conversion");
        if (!gammas.empty() && static_cast<std::int64_t>(gammas.size()) != mixer.heads)
            return fail(ErrorCode::InvalidArgument, std::to_string(gammas.size()) + " decays are given for "
                        + std::to_string(mixer.heads) + " heads", "conversion", "give one for each query head");
    }
    return {};
}

std::vector<std::int64_t> layersOf(const DecoderConfig &config, const ConvertOptions &options)
{
    if (!options.layers.empty())
        return options.layers;
    std::vector<std::int64_t> all(config.layers.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<std::int64_t>(i);
    return all;
}

} // namespace

Result<LanguageModelPtr> convert(const LanguageModel &source, const ConvertOptions &options, std::stop_token stop,
                                 const ProgressFn &progress)
{
    const auto *decoder = dynamic_cast<const Decoder *>(&source);
    if (!decoder)
        return fail(ErrorCode::Unsupported, "only Llama, Mistral and open_lm models can be converted", "conversion");
    return guarded("conversion", [&]() -> Result<LanguageModelPtr> {
        DecoderConfig config = decoder->config();
        const std::vector<std::int64_t> layers = layersOf(config, options);
        if (auto possible = convertible(config, layers, options.gammas); !possible)
            return propagate(possible);
        NamedTensors weights = decoder->weights();
        FeatureInitialiser initialiser(options, at::TensorOptions().dtype(decoder->dtype()).device(decoder->device()));
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "the conversion was cancelled", "conversion");
            MixerConfig &mixer = config.layers[static_cast<std::size_t>(layers[i])];
            mixer = successor(mixer, options);
            const std::string name = "layers." + std::to_string(layers[i]) + ".mixer.feature_map";
            initialiser.add(weights, name, mixer, mixer.heads);
            if (!mixer.sharedFeatures)
                initialiser.add(weights, name + "_k", mixer, mixer.kvHeads);
            if (progress)
                progress({"converting layers", i + 1, layers.size()});
        }
        config.untrained = true;
        config.origin = "converted without training: " + toString(options);
        auto converted = Decoder::create(std::move(config), std::move(weights), "conversion", WeightCheck::Full, decoder->quantised());
        if (!converted)
            return propagate(converted);
        return LanguageModelPtr(*converted);
    });
}

} // namespace lens
