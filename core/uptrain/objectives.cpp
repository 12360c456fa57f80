#include "uptrain/objectives.h"

#include "uptrain/losses.h"

#include <algorithm>
#include <c10/core/GradMode.h>

namespace lens {

namespace {

class MixerTracer final : public ProbeSink {
public:
    MixerTracer(const Decoder &original, const Decoder &model) : m_original(original), m_traces(original.config().layers.size())
    {
        for (const MixerConfig &mixer : model.config().layers)
            m_converted.push_back(mixer.isLinear());
    }

    bool wants(ProbeKind kind, std::int64_t layer) const override
    {
        return (kind == ProbeKind::MixerIn || kind == ProbeKind::MixerOut) && m_converted[static_cast<std::size_t>(layer)];
    }

    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        MixerTrace &trace = m_traces[static_cast<std::size_t>(layer)];
        if (kind == ProbeKind::MixerIn) {
            trace.input = value;
            return;
        }
        trace.mixed = value;
        const std::string name = "layers." + std::to_string(layer) + ".mixer.out";
        const auto bias = m_original.weights().find(name + ".bias");
        trace.output = at::linear(value, m_original.weights().at(name + ".weight"),
                                  bias == m_original.weights().end() ? std::optional<at::Tensor>() : bias->second);
    }

    std::vector<MixerTrace> take() { return std::move(m_traces); }

private:
    const Decoder &m_original;
    std::vector<bool> m_converted;
    std::vector<MixerTrace> m_traces;
};

class MixedHeads final : public ProbeSink {
public:
    bool wants(ProbeKind kind, std::int64_t) const override { return kind == ProbeKind::MixerOut; }
    void offer(ProbeKind, std::int64_t, const at::Tensor &value) override { m_mixed = value; }
    const at::Tensor &mixed() const { return m_mixed; }

private:
    at::Tensor m_mixed;
};

at::Tensor hiddenStates(const Decoder &model, const at::Tensor &inputs, bool recompute)
{
    ModelState state = model.initialState(inputs.size(0));
    ForwardOptions options;
    options.logits = LogitsWanted::Hidden;
    options.recompute = recompute;
    return model.forward(inputs, state, options).flatten(0, 1);
}

at::Tensor languageLoss(const TrainingStage &stage, const Decoder &model, const Decoder *original, const TrainingBatch &batch,
                        bool recompute)
{
    const at::Tensor targets = batch.targets.flatten();
    const at::Tensor hidden = hiddenStates(model, batch.inputs, recompute);
    if (stage.objective == Objective::CrossEntropy)
        return crossEntropy(hidden, model.outputWeight(), targets);
    at::Tensor originalHidden;
    {
        const c10::NoGradGuard noGrad;
        originalHidden = hiddenStates(*original, batch.inputs, false);
    }
    return distillation(hidden, model.outputWeight(), originalHidden, original->outputWeight(), targets,
                        {stage.temperature, stage.distillationWeight});
}

/// The relative error of each row, averaged: a ratio of sums over all rows would depend on how a batch is cut.
at::Tensor transferError(const at::Tensor &y, const at::Tensor &reference)
{
    const at::Tensor wide = reference.to(at::kFloat);
    return ((y.to(at::kFloat) - wide).square().sum({1, 2}) / wide.square().sum({1, 2}).clamp_min(1e-20)).mean();
}

/// Layer by layer, so that only one layer's graph is alive.
at::Tensor transferBackward(const Decoder &model, const Decoder &original, const TrainingBatch &batch, double weight)
{
    const std::vector<MixerTrace> traces = traceMixers(original, model, batch.inputs);
    const auto converted = std::count_if(traces.begin(), traces.end(), [](const MixerTrace &trace) { return trace.input.defined(); });
    at::Tensor sum = at::zeros({}, at::kDouble);
    for (std::size_t i = 0; i < traces.size(); ++i) {
        if (!traces[i].input.defined())
            continue;
        const at::Tensor y = runMixer(model, static_cast<std::int64_t>(i), traces[i].input).output;
        const at::Tensor loss = transferError(y, traces[i].output) / static_cast<double>(converted);
        if (loss.requires_grad())
            (loss * weight).backward();
        sum += loss.detach().to(at::kDouble);
    }
    return sum;
}

} // namespace

TrainingBatch splitTargets(const at::Tensor &tokens)
{
    const std::int64_t length = tokens.size(1) - 1;
    return {tokens.narrow(1, 0, length).contiguous(), tokens.narrow(1, 1, length).contiguous()};
}

bool haveComparableMixers(const Decoder &model, const Decoder &original)
{
    const DecoderConfig &own = model.config(), &other = original.config();
    return own.hiddenSize == other.hiddenSize
           && std::equal(own.layers.begin(), own.layers.end(), other.layers.begin(), other.layers.end(),
                         [](const MixerConfig &a, const MixerConfig &b) { return a.heads == b.heads && a.valueDim == b.valueDim; });
}

at::Tensor relativeError(const at::Tensor &y, const at::Tensor &reference)
{
    const at::Tensor wide = reference.to(at::kFloat);
    return (y.to(at::kFloat) - wide).square().sum() / wide.square().sum().clamp_min(1e-20);
}

std::vector<MixerTrace> traceMixers(const Decoder &original, const Decoder &model, const at::Tensor &inputs)
{
    const c10::NoGradGuard noGrad;
    MixerTracer tracer(original, model);
    ModelState state = original.initialState(inputs.size(0));
    ForwardOptions options;
    options.logits = LogitsWanted::None;
    options.probe = &tracer;
    original.forward(inputs, state, options);
    return tracer.take();
}

MixerTrace runMixer(const Decoder &model, std::int64_t layer, const at::Tensor &input)
{
    MixedHeads probe;
    const SequenceMixer &mixer = model.mixer(layer);
    const auto state = mixer.initialState(input.size(0));
    at::Tensor output = mixer.forward(input, *state, {layer, 0, {}, &probe});
    return {input, probe.mixed(), std::move(output)};
}

std::vector<at::Tensor> fittedScales(const Decoder &model, const Decoder &original, const at::Tensor &inputs)
{
    const c10::NoGradGuard noGrad;
    const std::vector<MixerTrace> traces = traceMixers(original, model, inputs);
    std::vector<at::Tensor> scales(traces.size());
    for (std::size_t i = 0; i < traces.size(); ++i) {
        if (!traces[i].input.defined())
            continue;
        const at::Tensor mixed = runMixer(model, static_cast<std::int64_t>(i), traces[i].input).mixed.to(at::kFloat);
        const at::Tensor products = (mixed * traces[i].mixed.to(at::kFloat)).sum({0, 1});
        scales[i] = products / mixed.square().sum({0, 1}).clamp_min(1e-20);
    }
    return scales;
}

at::Tensor forwardBackward(const TrainingStage &stage, const Decoder &model, const Decoder *original, const TrainingBatch &batch,
                           double weight, bool recompute)
{
    if (stage.objective == Objective::AttentionTransfer)
        return transferBackward(model, *original, batch, weight);
    const at::Tensor loss = languageLoss(stage, model, original, batch, recompute);
    (loss * weight).backward();
    return loss.detach().to(at::kDouble);
}

} // namespace lens
