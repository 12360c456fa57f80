// The loop of a run: batches, steps, evaluations, checkpoints.
#pragma once

#include "corpus/packedcorpus.h"
#include "uptrain/distributed.h"
#include "uptrain/evaluation.h"
#include "uptrain/optimiser.h"
#include "uptrain/runlog.h"
#include "uptrain/trainableweights.h"
#include "uptrain/trainingcheckpoint.h"
#include "uptrain/trainingmodels.h"
#include "uptrain/uptrain.h"

#include <memory>

namespace lens {

/// Everything a run works with, opened and checked.
struct TrainingRun {
    Recipe recipe;
    TrainingModels models;
    PackedCorpus corpus;
    CheckpointFolder checkpoints;
    std::optional<RunCheckpoint> resumed;
    std::unique_ptr<Distributed> processes;
};

class Trainer {
public:
    /// `control` and what the log's listener refers to must outlive it.
    static Result<std::unique_ptr<Trainer>> create(TrainingRun run, RunLog log, TrainingControl &control);

    Result<TrainingOutcome> run(std::stop_token stop);

private:
    enum class Next { Continue, StopHere };

    Trainer(TrainingRun run, RunLog log, TrainingControl &control);

    const TrainingStage &stage() const { return m_run.recipe.stages[static_cast<std::size_t>(m_position.stage)]; }
    bool finished() const { return m_position.stage >= static_cast<std::int64_t>(m_run.recipe.stages.size()); }

    void beginStage();
    Result<void> fitScales();
    Result<Next> heedControl(std::stop_token stop);
    Result<bool> anyProcess(bool wish);
    Result<void> trainStep();
    Result<double> gradients(const BoundDecoder &bound);
    Result<void> afterSkipping(const BoundDecoder &bound, double loss, double norm);
    std::string firstNonFiniteLayer(const BoundDecoder &bound) const;
    std::string firstNonFiniteGradient() const;
    at::Tensor microBatch(std::int64_t first, std::int64_t rows) const;
    Result<void> observe(std::stop_token stop);
    Result<void> evaluate(std::stop_token stop);
    void sample(std::stop_token stop);
    Result<SampleMetrics> makeSample(std::stop_token stop);
    Result<void> updateWeights(double rate);
    Result<void> writeCheckpoint();
    Result<void> saveResult(const std::string &folder);
    bool isFirst() const { return m_run.processes->isFirst(); }
    void exportNow(const std::string &folder);
    Result<void> exportTo(const std::string &folder);
    Result<void> exportAdapter(const std::string &origin, const std::string &folder);
    void reportProgress() const;

    TrainingRun m_run;
    RunLog m_log;
    TrainingControl &m_control;
    TrainableWeights m_weights;
    HeldOut m_heldOut;
    RunPosition m_position;
    bool m_begins = true;            // not resumed
    std::int64_t m_writtenStep = -1;    // of the newest checkpoint that is whole
    std::int64_t m_evaluatedStep = -1;  // of the newest perplexity
    std::vector<std::string> m_trainedNames;  // masters of this stage
    std::vector<at::Tensor> m_trained;
    std::unique_ptr<Optimiser> m_optimiser;
};

} // namespace lens
