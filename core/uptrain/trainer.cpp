#include "uptrain/trainer.h"

#include "tensor/torchbridge.h"
#include "uptrain/objectives.h"
#include "uptrain/sampletext.h"
#include "uptrain/schedule.h"

#include <algorithm>
#include <c10/core/GradMode.h>
#include <chrono>
#include <cmath>
#include <filesystem>

namespace lens {

namespace {

constexpr std::int64_t kMostSkippedInARow = 10;
constexpr std::int64_t kFittingTokens = 4096;

bool due(std::int64_t step, std::int64_t interval)
{
    return interval > 0 && step % interval == 0;
}

class Stopwatch {
public:
    double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count(); }

private:
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

/// What was trained, without the path it lay under: the result may go elsewhere.
std::string describeStart(const TrainingRun &run)
{
    if (!run.recipe.scratch.empty())
        return "from scratch, seed " + std::to_string(run.recipe.seed);
    const std::optional<ModelInfo> &base = run.models.base;
    return base ? base->name + run.models.loaded->info().path.substr(base->path.size()) : run.models.loaded->info().name;
}

/// Never infinite; NaN when the model's numbers are.
double perplexityOf(const HeldOutScore &score)
{
    return std::exp(std::isnan(score.meanNll) ? score.meanNll : std::min(score.meanNll, 700.0));
}

class FiniteLayers final : public ProbeSink {
public:
    bool wants(ProbeKind kind, std::int64_t) const override { return kind == ProbeKind::MixerOut || kind == ProbeKind::Hidden; }
    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        if (m_first.empty() && !at::isfinite(value).all().item<bool>())
            m_first = (kind == ProbeKind::MixerOut ? "the mixer of layer " : "the feed-forward part of layer ") + std::to_string(layer);
    }
    const std::string &first() const { return m_first; }

private:
    std::string m_first;
};

} // namespace

Trainer::Trainer(TrainingRun run, RunLog log, TrainingControl &control)
    : m_run(std::move(run)), m_log(std::move(log)), m_control(control),
      m_weights(*m_run.models.start, m_run.recipe, scalarType(m_run.recipe.dtype)),
      m_heldOut(m_run.corpus, m_run.recipe.sequenceLength, m_run.recipe.evaluationTokens)
{
}

Result<std::unique_ptr<Trainer>> Trainer::create(TrainingRun run, RunLog log, TrainingControl &control)
{
    return guarded("training", [&]() -> Result<std::unique_ptr<Trainer>> {
        std::unique_ptr<Trainer> trainer(new Trainer(std::move(run), std::move(log), control));
        const std::optional<RunCheckpoint> &resumed = trainer->m_run.resumed;
        if (resumed) {
            if (auto assigned = trainer->m_weights.assign(resumed->masters, "checkpoint"); !assigned)
                return propagate(assigned);
            trainer->m_position = resumed->position;
            trainer->m_writtenStep = resumed->position.step;
            trainer->m_begins = false;
        }
        if (trainer->finished())
            return trainer;
        trainer->m_position.originalPerplexity = 0;  // may have been measured on other tokens
        trainer->beginStage();
        if (resumed && trainer->m_position.stageStep > 0) {
            NamedTensors own;
            for (const auto &[name, whole] : resumed->optimiser)
                own[name] = trainer->m_run.processes->ownRows(whole);
            if (auto assigned = trainer->m_optimiser->assign(own, "checkpoint"); !assigned)
                return propagate(assigned);
        }
        trainer->m_run.resumed.reset();
        return trainer;
    });
}

void Trainer::beginStage()
{
    NamedTensors parameters;
    m_trained.clear();
    m_trainedNames = m_weights.select(stage().trainable);
    for (const std::string &name : m_trainedNames) {
        m_trained.push_back(m_weights.masters().at(name));
        parameters[name] = m_run.processes->ownRows(m_trained.back());
    }
    m_optimiser = std::make_unique<Optimiser>(parameters, m_run.recipe.optimiser);
}

/// Scales that are learned begin where they fit best, not at one: gradient descent would spend its first hundreds of
/// steps on that.
Result<void> Trainer::fitScales()
{
    if (!m_run.recipe.learnScale || !m_run.models.original || !haveComparableMixers(*m_run.models.start, *m_run.models.original))
        return {};
    const auto bound = m_weights.bind(false);
    if (!bound)
        return propagate(bound);
    const c10::NoGradGuard noGrad;
    const std::int64_t rows = std::clamp<std::int64_t>(kFittingTokens / m_run.recipe.sequenceLength, 1, m_run.recipe.batch);
    const auto scales = fittedScales(*bound->decoder, *m_run.models.original, splitTargets(microBatch(0, rows)).inputs);
    std::vector<at::Tensor> masters;
    for (std::size_t i = 0; i < scales.size(); ++i)
        if (scales[i].defined())
            masters.push_back(m_weights.masters().at("layers." + std::to_string(i) + ".mixer.scale").copy_(scales[i]));
    return m_run.processes->broadcast(masters);
}

Result<TrainingOutcome> Trainer::run(std::stop_token stop)
{
    return guarded("training", [&]() -> Result<TrainingOutcome> {
        if (m_begins) {
            if (auto observed = observe(stop); !observed)
                return propagate(observed);
            if (auto fitted = fitScales(); !fitted)
                return propagate(fitted);
        }
        bool stopped = false;
        while (!finished() && !stopped) {
            const auto next = heedControl(stop);
            if (!next)
                return propagate(next);
            if (*next == Next::StopHere) {
                stopped = true;
                break;
            }
            if (auto stepped = trainStep(); !stepped)
                return propagate(stepped);
            if (m_position.stageStep == stage().steps) {
                ++m_position.stage;
                m_position.stageStep = 0;
                if (!finished())
                    beginStage();
            }
            if (auto observed = observe(stop); !observed)
                return propagate(observed);
            if (due(m_position.step, m_run.recipe.checkpointEvery) && !finished())
                if (auto written = writeCheckpoint(); !written)
                    return propagate(written);
        }
        if (stopped && isFirst() && m_evaluatedStep != m_position.step)
            if (auto evaluated = evaluate(stop); !evaluated && evaluated.error().code != ErrorCode::Cancelled)
                return propagate(evaluated);
        // A run that was finished already has its last checkpoint.
        if (m_optimiser)
            if (auto written = writeCheckpoint(); !written)
                return propagate(written);
        if (auto saved = saveResult(m_run.recipe.out); !saved)
            return propagate(saved);
        if (auto left = m_run.processes->leave(); !left)
            return propagate(left);
        return TrainingOutcome{m_position.step, finished(), m_position.skipped, m_position.perplexity,
                               m_position.originalPerplexity, m_run.recipe.out};
    });
}

Result<bool> Trainer::anyProcess(bool wish)
{
    if (m_run.processes->size() == 1)
        return wish;
    const at::Tensor wishes = at::full({1}, wish ? 1.0 : 0.0, m_run.models.start->weights().begin()->second.options().dtype(at::kFloat));
    if (auto summed = m_run.processes->sum(wishes); !summed)
        return propagate(summed);
    return wishes.item<float>() > 0;
}

Result<Trainer::Next> Trainer::heedControl(std::stop_token stop)
{
    do {
        if (m_control.takeExportRequest())
            exportNow((std::filesystem::path(m_run.recipe.out) / "now").string());
        m_control.waitWhilePaused(stop);
    } while (m_control.isPaused() && !m_control.wantsToStop() && !stop.stop_requested());
    const auto stopped = anyProcess(stop.stop_requested());
    if (!stopped)
        return propagate(stopped);
    if (*stopped) {
        if (auto written = writeCheckpoint(); !written)
            return propagate(written);
        return fail(ErrorCode::Cancelled, "the training was stopped after step " + std::to_string(m_position.step), m_run.recipe.out,
                    "it can be resumed");
    }
    const auto kept = anyProcess(m_control.wantsToStop());
    if (!kept)
        return propagate(kept);
    return *kept ? Next::StopHere : Next::Continue;
}

at::Tensor Trainer::microBatch(std::int64_t first, std::int64_t rows) const
{
    const std::int64_t width = m_run.recipe.sequenceLength + 1;
    const at::Tensor tokens = at::empty({rows, width}, at::kInt);
    for (std::int64_t i = 0; i < rows; ++i)
        m_run.corpus.trainingSequence(first + i, {tokens.mutable_data_ptr<TokenId>() + i * width, static_cast<std::size_t>(width)});
    return tokens.to(m_run.models.start->device(), at::kLong);
}

Result<double> Trainer::gradients(const BoundDecoder &bound)
{
    const Recipe &recipe = m_run.recipe;
    const std::int64_t share = recipe.batch / m_run.processes->size();  // sequences of this process
    const std::int64_t begin = m_position.step * recipe.batch + m_run.processes->rank() * share;
    const std::int64_t micro = recipe.microBatch > 0 ? std::min(recipe.microBatch, share) : share;
    at::Tensor loss = at::zeros({1}, at::kDouble);
    for (std::int64_t first = 0; first < share; first += micro) {
        const std::int64_t rows = std::min(micro, share - first);
        const double weight = static_cast<double>(rows) / static_cast<double>(recipe.batch);
        const TrainingBatch batch = splitTargets(microBatch(begin + first, rows));
        loss += forwardBackward(stage(), *bound.decoder, m_run.models.original.get(), batch, weight, recipe.recompute).cpu() * weight;
    }
    if (auto summed = m_run.processes->summedBackward(m_trained, [&] { TrainableWeights::pullBack(bound); }); !summed)
        return propagate(summed);
    if (auto summed = m_run.processes->sum(loss); !summed)
        return propagate(summed);
    return loss.item<double>();
}

Result<void> Trainer::updateWeights(double rate)
{
    NamedTensors gradients;
    for (std::size_t i = 0; i < m_trained.size(); ++i)
        gradients[m_trainedNames[i]] = m_run.processes->ownRows(m_trained[i].grad());
    m_optimiser->step(rate, gradients);
    return m_run.processes->shareRows(m_trained);
}

Result<void> Trainer::trainStep()
{
    const Stopwatch watch;
    const c10::AutoGradMode gradientsOn(true);
    const auto bound = m_weights.bind(true);
    if (!bound)
        return propagate(bound);
    for (at::Tensor &parameter : m_trained)
        parameter.mutable_grad() = at::Tensor();
    const auto loss = gradients(*bound);
    if (!loss)
        return propagate(loss);
    const double norm = gradientNorm(m_trained);
    const double rate = learningRateAt(stage(), m_position.stageStep);
    const bool skipped = !std::isfinite(*loss) || !std::isfinite(norm);
    if (!skipped) {
        clipGradients(m_trained, norm, m_run.recipe.optimiser.clip);
        if (auto updated = updateWeights(rate); !updated)
            return updated;
    }
    const std::int64_t tokens = m_run.recipe.batch * m_run.recipe.sequenceLength;
    const std::int64_t stageIndex = m_position.stage;
    ++m_position.step;
    ++m_position.stageStep;
    m_position.tokens += tokens;
    const double seconds = watch.seconds();
    m_position.seconds += seconds;
    m_position.skipped += skipped ? 1 : 0;
    m_position.skippedInARow = skipped ? m_position.skippedInARow + 1 : 0;
    m_log.record(StepMetrics{m_position.step, stageIndex, *loss, norm, rate, m_position.tokens, m_position.seconds,
                             static_cast<double>(tokens) / seconds, skipped});
    reportProgress();
    return skipped ? afterSkipping(*bound, *loss, norm) : Result<void>();
}

Result<void> Trainer::afterSkipping(const BoundDecoder &bound, double loss, double norm)
{
    const std::string what = std::isfinite(loss) ? "the gradient is " + std::to_string(norm) : "the loss is " + std::to_string(loss);
    std::string place = firstNonFiniteLayer(bound);
    if (place.empty())
        place = firstNonFiniteGradient();
    place = place.empty() ? "" : "; the first numbers that are not finite come from " + place;
    m_log.record(TrainingNotice{m_position.step, "step " + std::to_string(m_position.step) + " was skipped: " + what + place});
    if (m_position.skippedInARow < kMostSkippedInARow)
        return {};
    bool normalises = false;
    for (const MixerConfig &mixer : m_weights.config().layers)
        normalises = normalises || mixer.normalises();
    return fail(ErrorCode::InvalidArgument,
                std::to_string(kMostSkippedInARow) + " steps in a row gave no finite " + (std::isfinite(loss) ? "gradient" : "loss") + place,
                m_run.recipe.out + ", step " + std::to_string(m_position.step),
                normalises ? "a normaliser that vanishes is the known weakness of T2R: use SUPRA, or a lower learning rate; the last checkpoint is kept"
                           : "use a lower learning rate or a longer warm-up; the last checkpoint is kept");
}

std::string Trainer::firstNonFiniteLayer(const BoundDecoder &bound) const
{
    const c10::NoGradGuard noGrad;
    FiniteLayers probe;
    const at::Tensor inputs = splitTargets(microBatch((m_position.step - 1) * m_run.recipe.batch, 1)).inputs;
    ModelState state = bound.decoder->initialState(1);
    ForwardOptions options;
    options.logits = LogitsWanted::None;
    options.probe = &probe;
    bound.decoder->forward(inputs, state, options);
    return probe.first();
}

std::string Trainer::firstNonFiniteGradient() const
{
    for (std::size_t i = 0; i < m_trained.size(); ++i)
        if (!at::isfinite(m_trained[i].grad()).all().item<bool>())
            return "the gradient of " + m_trainedNames[i];
    return {};
}

Result<void> Trainer::observe(std::stop_token stop)
{
    if (!isFirst())
        return {};
    const bool edge = m_position.step == 0 || finished() || m_position.stageStep == 0;
    if (edge || due(m_position.step, m_run.recipe.evaluateEvery))
        if (auto evaluated = evaluate(stop); !evaluated && evaluated.error().code != ErrorCode::Cancelled)
            return evaluated;
    if (!m_run.recipe.samplePrompt.empty() && m_run.recipe.sampleEvery > 0
        && (edge || due(m_position.step, m_run.recipe.sampleEvery)))
        sample(stop);
    return {};
}

Result<void> Trainer::evaluate(std::stop_token stop)
{
    const auto bound = m_weights.bind(false);
    if (!bound)
        return propagate(bound);
    const auto score = scoreHeldOut(*bound->decoder, m_heldOut, stop);
    if (!score)
        return propagate(score);
    m_position.perplexity = perplexityOf(*score);
    m_evaluatedStep = m_position.step;
    if (m_run.models.original && m_position.originalPerplexity == 0) {
        const auto original = scoreHeldOut(*m_run.models.original, m_heldOut, stop);
        if (!original)
            return propagate(original);
        m_position.originalPerplexity = perplexityOf(*original);
    }
    m_log.record(EvaluationMetrics{m_position.step, score->tokens, m_position.perplexity, m_position.originalPerplexity});
    auto layers = measureLayers(*bound->decoder, m_run.models.original.get(), m_heldOut);
    if (!layers)
        return propagate(layers);
    layers->step = m_position.step;
    m_log.record(*layers);
    return {};
}

/// A text that cannot be made is no reason to end a run, and one cut off by the end of it none to be shown.
void Trainer::sample(std::stop_token stop)
{
    const auto made = makeSample(stop);
    if (stop.stop_requested())
        return;
    if (made)
        m_log.record(*made);
    else
        m_log.record(TrainingNotice{m_position.step, "there is no sample of step " + std::to_string(m_position.step) + ": "
                                    + toString(made.error())});
}

Result<SampleMetrics> Trainer::makeSample(std::stop_token stop)
{
    const auto bound = m_weights.bind(false);
    if (!bound)
        return propagate(bound);
    SampleMetrics metrics{m_position.step, m_run.recipe.samplePrompt, {}, {}};
    const TokenizerPtr &tokenizer = m_run.models.tokenizer;
    auto text = continueGreedily(bound->decoder, tokenizer, metrics.prompt, m_run.recipe.sampleTokens, stop);
    if (!text)
        return propagate(text);
    metrics.text = std::move(*text);
    if (m_run.models.original) {
        auto original = continueGreedily(m_run.models.original, tokenizer, metrics.prompt, m_run.recipe.sampleTokens, stop);
        if (!original)
            return propagate(original);
        metrics.originalText = std::move(*original);
    }
    return metrics;
}

/// One that is there already is left alone: while it is replaced, a kill would cost it.
Result<void> Trainer::writeCheckpoint()
{
    m_log.sync(m_position.step);
    if (m_writtenStep == m_position.step)
        return {};
    const auto optimiser = m_run.processes->gatherRows(m_optimiser ? m_optimiser->state() : NamedTensors());
    if (!optimiser)
        return propagate(optimiser);
    if (isFirst())
        if (auto written = m_run.checkpoints.write({m_position, m_weights.masters(), *optimiser}); !written)
            return written;
    m_writtenStep = m_position.step;
    return {};
}

Result<void> Trainer::saveResult(const std::string &folder)
{
    return isFirst() ? exportTo(folder) : Result<void>();
}

void Trainer::exportNow(const std::string &folder)
{
    const auto saved = exportTo(folder);
    if (saved) {
        if (m_log.listener().exported)
            m_log.listener().exported(folder);
        return;
    }
    m_log.record(TrainingNotice{m_position.step, "the model could not be written: " + toString(saved.error())});
    if (m_log.listener().exportFailed)
        m_log.listener().exportFailed(saved.error());
}

Result<void> Trainer::exportTo(const std::string &folder)
{
    const std::string origin = "trained on " + std::to_string(m_position.tokens) + " tokens: " + describeStart(m_run);
    if (makesAdapter(m_run.recipe) && m_run.models.base)
        return exportAdapter(origin, folder);
    const auto decoder = m_weights.folded(scalarType(m_run.recipe.saveDtype), origin, *m_run.models.start);
    if (!decoder)
        return propagate(decoder);
    return saveTrained(*decoder, m_run.models, m_run.recipe, folder);
}

Result<void> Trainer::exportAdapter(const std::string &origin, const std::string &folder)
{
    auto adapter = m_weights.adapter(origin);
    if (!adapter)
        return propagate(adapter);
    const auto error = saveTrainedAdapter(std::move(*adapter), *m_run.models.base, m_run.recipe, folder);
    if (!error)
        return propagate(error);
    if (*error > 0)
        m_log.record(TrainingNotice{m_position.step, "the adapter is stored as " + m_run.recipe.adapterStorage
                                    + "; the largest error this causes is " + std::to_string(*error) + " of a tensor's largest number"});
    return {};
}

void Trainer::reportProgress() const
{
    if (m_log.listener().progress)
        m_log.listener().progress({"training", static_cast<std::uint64_t>(m_position.step),
                                   static_cast<std::uint64_t>(totalSteps(m_run.recipe))});
}

} // namespace lens
