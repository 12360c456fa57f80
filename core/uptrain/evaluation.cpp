#include "uptrain/evaluation.h"

#include "tensor/torchbridge.h"
#include "uptrain/losses.h"
#include "uptrain/objectives.h"

#include <c10/core/GradMode.h>
#include <algorithm>
#include <limits>

namespace lens {

namespace {

constexpr std::int64_t kRowsAtOnce = 8;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class LargestActivations final : public ProbeSink {
public:
    explicit LargestActivations(std::size_t layers) : m_largest(layers, 0) {}

    bool wants(ProbeKind kind, std::int64_t) const override { return kind == ProbeKind::Hidden; }
    void offer(ProbeKind, std::int64_t layer, const at::Tensor &value) override
    {
        m_largest[static_cast<std::size_t>(layer)] = value.abs().max().item<float>();
    }
    std::vector<float> take() { return std::move(m_largest); }

private:
    std::vector<float> m_largest;
};

/// Mean over tokens of the cosine between two heads' outputs: [H].
at::Tensor headCosines(const at::Tensor &a, const at::Tensor &b, std::int64_t heads)
{
    const auto byHead = [heads](const at::Tensor &x) { return x.to(at::kFloat).unflatten(2, {heads, -1}); };
    return at::cosine_similarity(byHead(a), byHead(b), 3).mean({0, 1});
}

void compareLayers(LayerMetrics &metrics, const Decoder &model, const Decoder &original, const at::Tensor &inputs)
{
    const std::vector<MixerTrace> traces = traceMixers(original, model, inputs);
    for (std::size_t i = 0; i < traces.size(); ++i) {
        if (!traces[i].input.defined())
            continue;
        const auto layer = static_cast<std::int64_t>(i);
        const MixerTrace own = runMixer(model, layer, traces[i].input);
        metrics.outputError[i] = relativeError(own.output, traces[i].output).item<float>();
        const std::int64_t heads = model.config().layers[i].heads;
        const at::Tensor cosines = headCosines(own.mixed, traces[i].mixed, heads).contiguous();
        std::copy_n(cosines.const_data_ptr<float>(), heads, metrics.headFidelity.begin() + layer * metrics.heads);
    }
}

} // namespace

HeldOut::HeldOut(const PackedCorpus &corpus, std::int64_t sequenceLength, std::int64_t tokens)
{
    const std::int64_t rows = std::clamp<std::int64_t>(tokens / sequenceLength, 1, std::max<std::int64_t>(corpus.heldOutSequences(), 1));
    std::vector<TokenId> row(static_cast<std::size_t>(sequenceLength + 1));
    for (std::int64_t first = 0; first < std::min(rows, corpus.heldOutSequences()); first += kRowsAtOnce) {
        std::vector<at::Tensor> batch;
        for (std::int64_t i = first; i < std::min(rows, first + kRowsAtOnce); ++i) {
            corpus.heldOutSequence(i, row);
            batch.push_back(at::tensor(std::vector<std::int64_t>(row.begin(), row.end()), at::kLong));
        }
        m_batches.push_back(at::stack(batch));
    }
}

Result<HeldOutScore> scoreHeldOut(const Decoder &model, const HeldOut &heldOut, std::stop_token stop)
{
    return guarded("evaluation", [&]() -> Result<HeldOutScore> {
        const c10::NoGradGuard noGrad;
        HeldOutScore score;
        double sum = 0;
        for (std::int64_t i = 0; i < heldOut.batches(); ++i) {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "the evaluation was cancelled", "evaluation");
            const TrainingBatch batch = splitTargets(heldOut.batch(i).to(model.device()));
            ModelState state = model.initialState(batch.inputs.size(0));
            ForwardOptions options;
            options.logits = LogitsWanted::Hidden;
            const at::Tensor hidden = model.forward(batch.inputs, state, options).flatten(0, 1);
            const std::int64_t tokens = batch.targets.numel();
            sum += crossEntropy(hidden, model.outputWeight(), batch.targets.flatten()).item<double>() * static_cast<double>(tokens);
            score.tokens += tokens;
        }
        score.meanNll = score.tokens > 0 ? sum / static_cast<double>(score.tokens) : 0;
        return score;
    });
}

Result<LayerMetrics> measureLayers(const Decoder &model, const Decoder *original, const HeldOut &heldOut)
{
    return guarded("evaluation", [&]() -> Result<LayerMetrics> {
        const c10::NoGradGuard noGrad;
        LayerMetrics metrics;
        metrics.layers = static_cast<std::int64_t>(model.config().layers.size());
        for (const MixerConfig &mixer : model.config().layers)
            metrics.heads = std::max(metrics.heads, mixer.heads);
        metrics.outputError.assign(static_cast<std::size_t>(metrics.layers), kNaN);
        metrics.headFidelity.assign(static_cast<std::size_t>(metrics.layers * metrics.heads), kNaN);
        if (heldOut.batches() == 0)
            return metrics;
        const TrainingBatch batch = splitTargets(heldOut.batch(0).to(model.device()));
        LargestActivations activations(static_cast<std::size_t>(metrics.layers));
        ModelState state = model.initialState(batch.inputs.size(0));
        ForwardOptions options;
        options.logits = LogitsWanted::None;
        options.probe = &activations;
        model.forward(batch.inputs, state, options);
        metrics.largestActivation = activations.take();
        if (original && haveComparableMixers(model, *original))
            compareLayers(metrics, model, *original, batch.inputs);
        return metrics;
    });
}

} // namespace lens
