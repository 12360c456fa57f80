// A whole architecture family in one file, to copy and change: one layer of exponential moving averages.
//
//   x_t = E[token_t]          h_t = a * h_{t-1} + (1 - a) * x_t  (per channel)          logits_t = W h_t
//
// A checkpoint is a folder with config.json ({"model_type": "ema", "vocab_size": V, "hidden_size": D}) and
// model.safetensors with embedding.weight [V,D], decay [D] (a, between 0 and 1) and output.weight [V,D].
#include "mixer/tensorstate.h"
#include "model/configreader.h"
#include "model/plugin.h"
#include "model/weightfacts.h"
#include "model/weightloader.h"
#include "tensor/torchbridge.h"

namespace {

using namespace lens;

struct EmaConfig {
    std::int64_t vocabulary = 0, width = 0;
};

/// A checkpoint is untrusted: every number is checked against a range before anything is allocated for it.
Result<EmaConfig> readConfig(const Checkpoint &checkpoint)
{
    ConfigReader reader(checkpoint.config(), checkpoint.path().string());
    EmaConfig config;
    config.vocabulary = reader.integer("vocab_size", 1, 1 << 22);
    config.width = reader.integer("hidden_size", 1, 1 << 16);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    return config;
}

std::map<std::string, WantedTensor> wantedTensors(const EmaConfig &config)
{
    return {{"embedding", {"embedding.weight", {config.vocabulary, config.width}}},
            {"decay", {"decay", {config.width}, true}},
            {"output", {"output.weight", {config.vocabulary, config.width}}}};
}

ModelInfo infoOf(const EmaConfig &config)
{
    ModelInfo info;
    info.architecture = "ema";
    info.mixer = "ema";
    info.layerCount = 1;
    info.hiddenSize = config.width;
    info.heads = info.kvHeads = 1;
    info.headMeaning = "all channels";
    info.keyDim = info.valueDim = config.width;
    info.vocabulary = config.vocabulary;
    info.parameters = static_cast<std::uint64_t>(2 * config.vocabulary * config.width + config.width);
    info.stateBytes = static_cast<std::uint64_t>(config.width) * sizeof(float);
    info.layers.resize(1);
    info.layers[0].mixer = "ema";
    info.undefined = {{"zero features", "it has no feature map"},
                      {"conversion", "there is no softmax attention to replace"}};
    return info;
}

class EmaModel final : public LanguageModel {
public:
    EmaModel(EmaConfig config, NamedTensors weights) : m_config(config), m_weights(std::move(weights)) {}

    ModelInfo describe() const override
    {
        ModelInfo info = infoOf(m_config);
        addWeightFacts(info, m_weights, dtype(), device());
        if (!device().is_meta()) {
            const at::Tensor decay = m_weights.at("decay").to(at::kCPU, at::kDouble).contiguous();
            info.layers[0].channelGamma.assign(decay.const_data_ptr<double>(), decay.const_data_ptr<double>() + decay.numel());
        }
        return info;
    }

    at::Device device() const override { return m_weights.at("embedding").device(); }
    at::ScalarType dtype() const override { return m_weights.at("embedding").scalar_type(); }

    ModelState initialState(std::int64_t batch) const override
    {
        std::vector<std::unique_ptr<SequenceState>> layers;
        const auto options = at::TensorOptions().dtype(at::kFloat).device(device());
        layers.push_back(std::make_unique<TensorState>(NamedTensors{{"state", at::zeros({batch, m_config.width}, options)}}));
        return ModelState(std::move(layers));
    }

    at::Tensor forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const override
    {
        const at::Tensor x = m_weights.at("embedding").index({tokens}).to(at::kFloat);  // [B,T,D]
        at::Tensor &memory = static_cast<TensorState &>(state.layer(0))["state"];
        const at::Tensor entering = memory;
        const at::Tensor h = options.execution.form == Execution::Form::Recurrent ? recurrent(x, memory) : parallel(x, memory);
        offerProbes(h, entering, state.position(), options.probe);
        state.advance(tokens.size(1));
        if (options.logits == LogitsWanted::None)
            return {};
        const at::Tensor read = options.logits == LogitsWanted::Last ? h.narrow(1, h.size(1) - 1, 1) : h;
        const at::Tensor typed = read.to(dtype());
        return options.logits == LogitsWanted::Hidden ? typed : at::matmul(typed, m_weights.at("output").t()).to(at::kFloat);
    }

private:
    /// One token after the other.
    at::Tensor recurrent(const at::Tensor &x, at::Tensor &memory) const
    {
        const at::Tensor &a = m_weights.at("decay");
        std::vector<at::Tensor> steps;
        for (std::int64_t t = 0; t < x.size(1); ++t) {
            memory = memory * a + x.select(1, t) * (1 - a);
            steps.push_back(memory);
        }
        return at::stack(steps, 1);
    }

    /// Many tokens at once, in chunks so that memory grows with T: h_i = a^(i+1) h_before + sum_{j<=i} a^(i-j) (1-a) x_j.
    at::Tensor parallel(const at::Tensor &x, at::Tensor &memory) const
    {
        constexpr std::int64_t chunk = 32;
        const at::Tensor &a = m_weights.at("decay");
        std::vector<at::Tensor> parts;
        for (std::int64_t from = 0; from < x.size(1); from += chunk) {
            const std::int64_t length = std::min(chunk, x.size(1) - from);
            const at::Tensor rows = at::arange(1, length + 1, a.options()).unsqueeze(1);               // [C,1]
            const at::Tensor distance = (rows - rows.t()).unsqueeze(2);                                // [C,C,1]
            const at::Tensor kernel = at::pow(a, distance.clamp_min(0)) * (distance >= 0) * (1 - a);   // [C,C,D]
            const at::Tensor inside = at::einsum("ijd,bjd->bid", {kernel, x.narrow(1, from, length)});
            parts.push_back(inside + at::pow(a, rows) * memory.unsqueeze(1));
            memory = parts.back().select(1, length - 1);
        }
        return at::cat(parts, 1);
    }

    /// Asked for first: nobody pays for what nobody wants. wants() also ends the pass when the user stops it.
    void offerProbes(const at::Tensor &h, const at::Tensor &entering, std::int64_t position, ProbeSink *probe) const
    {
        const at::Tensor &a = m_weights.at("decay");
        if (wanted(probe, ProbeKind::StateNorm, 0))
            probe->offer(ProbeKind::StateNorm, 0, h.square().sum(2).sqrt().unsqueeze(1));
        if (wanted(probe, ProbeKind::Retention, 0)) {
            const at::Tensor before = at::cat({entering.unsqueeze(1), h.narrow(1, 0, h.size(1) - 1)}, 1);
            const at::Tensor left = (before * a).square().sum(2).sqrt() / before.square().sum(2).sqrt();
            probe->offer(ProbeKind::Retention, 0, left.unsqueeze(1));
        }
        if (position == 0 && wanted(probe, ProbeKind::Attention, 0)) {
            const at::Tensor rows = at::arange(h.size(1), a.options()).unsqueeze(1);
            const at::Tensor distance = (rows - rows.t()).unsqueeze(2);
            const at::Tensor mean = (at::pow(a, distance.clamp_min(0)) * (distance >= 0) * (1 - a)).mean(2);
            probe->offer(ProbeKind::Attention, 0, mean.unsqueeze(0).unsqueeze(0).expand({h.size(0), 1, -1, -1}));
        }
        if (wanted(probe, ProbeKind::Hidden, 0))
            probe->offer(ProbeKind::Hidden, 0, h);
    }

    EmaConfig m_config;
    NamedTensors m_weights;
};

class EmaArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "ema"; }

    bool recognises(const Checkpoint &checkpoint) const override
    {
        const auto &config = checkpoint.config();
        return config.is_object() && config.value("model_type", nlohmann::json()) == "ema";
    }

    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override
    {
        const auto config = readConfig(checkpoint);
        if (!config)
            return propagate(config);
        ModelInfo info = infoOf(*config);
        info.format = std::string(name(checkpoint.format()));
        return info;
    }

    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override
    {
        return guarded(checkpoint.path().string(), [&]() -> Result<LanguageModelPtr> {
            const auto config = readConfig(checkpoint);
            if (!config)
                return propagate(config);
            auto weights = loadWeights(checkpoint, wantedTensors(*config), options);
            if (!weights)
                return propagate(weights);
            return std::make_shared<const EmaModel>(*config, std::move(*weights));
        });
    }
};

} // namespace

SUPRALENS_PLUGIN("Moving average", "1.0", "The template: one layer of exponential moving averages")
{
    registry.add(std::make_unique<EmaArchitecture>());
}
