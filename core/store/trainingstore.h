// Training runs and everything they measured.
#pragma once

#include "base/result.h"
#include "store/records.h"
#include "uptrain/metrics.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lens {

class Connection;

enum class TrainingStatus {
    Running,     ///< being trained now
    Finished,    ///< all steps of its recipe
    Stopped,     ///< ended early by the user; the model until then is kept
    Failed,      ///< ended by an error
    Interrupted, ///< the program ended in the middle of it; its checkpoints allow to resume
};

/// "running", "finished", "stopped", "failed", "interrupted": as stored.
const char *name(TrainingStatus status);

/// What is known when a run begins.
struct TrainingStart {
    std::string folder;  ///< the run's, where its model and checkpoints lie
    std::string name;    ///< for lists
    std::string recipe;  ///< JSON, as toJson(Recipe) yields it; not looked into here
    std::int64_t totalSteps = 0;
    std::string build;   ///< version of the program
};

/// What is known when it has ended.
struct TrainingEnd {
    TrainingStatus status = TrainingStatus::Finished; ///< anything but Running
    std::string message;                              ///< why it failed or stopped; may be empty
    std::string fingerprint;                          ///< of the resulting weights; empty when there are none
};

struct TrainingRunRow {
    RowId id = 0;
    std::string folder;
    std::string name;
    std::string recipe;
    std::int64_t totalSteps = 0;
    std::string build;
    Milliseconds started = 0;
    Milliseconds finished = 0; ///< 0 while running; of an interrupted one, when its last measurements were stored
    TrainingStatus status = TrainingStatus::Running;
    std::string message;
    std::string notes;
    std::string fingerprint;
    std::int64_t lastStep = 0;     ///< stored; 0 = none
    double perplexity = 0;         ///< of the last evaluation; 0 = none
    double originalPerplexity = 0; ///< likewise
};

/// What a run measured: a piece of it on its way to the file, or all of it when read.
struct TrainingMetrics {
    std::vector<StepMetrics> steps; ///< by step, as all lists here
    std::vector<EvaluationMetrics> evaluations;
    std::vector<LayerMetrics> layers;
    std::vector<SampleMetrics> samples;
    std::vector<TrainingNotice> notices;

    bool empty() const
    {
        return steps.empty() && evaluations.empty() && layers.empty() && samples.empty() && notices.empty();
    }
};

class TrainingStore {
public:
    explicit TrainingStore(Connection &connection);

    Result<RowId> begin(const TrainingStart &start);

    /// An ended run goes on from a checkpoint. Steps it takes a second time replace those stored.
    Result<void> resume(RowId run);

    /// One transaction. The run must be running (InvalidArgument otherwise). Lists of LayerMetrics may be empty where
    /// there was nothing to measure; they are read back as NaN.
    Result<void> append(RowId run, const TrainingMetrics &metrics);

    /// The last measurements and the end, in one transaction.
    Result<void> finish(RowId run, const TrainingEnd &end, const TrainingMetrics &metrics = {});

    Result<void> setNotes(RowId run, const std::string &notes);
    Result<void> rename(RowId run, const std::string &name);

    /// The run and its measurements; its folder stays where it is. A running one is refused (InvalidArgument).
    Result<void> remove(RowId run);

    Result<TrainingRunRow> get(RowId run);
    /// Newest first.
    Result<std::vector<TrainingRunRow>> list();
    Result<TrainingMetrics> metrics(RowId run);

private:
    Connection &m_connection;
};

} // namespace lens
