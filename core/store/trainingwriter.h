// From a training to the workspace: what it measures is gathered and stored in batches.
#pragma once

#include "store/trainingstore.h"
#include "uptrain/uptrain.h"

#include <chrono>
#include <functional>

namespace lens {

/// Adds `news` to `all`. A run that went on from a checkpoint repeats steps: what `all` had from there on goes.
void extend(TrainingMetrics &all, const TrainingMetrics &news);

/// Every measurement, as a list of one, on the training thread. progress and exported stay empty.
TrainingListener measuringListener(std::function<void(const TrainingMetrics &)> sink);

/// How a run in `folder` ended, for those who know the folder: it is no news in the message.
TrainingEnd endOfTraining(const Result<TrainingOutcome> &result, const std::string &folder,
                          const std::string &fingerprint);

/// Used on the workspace's thread; does not touch the store when it is destroyed.
class TrainingWriter {
public:
    using Clock = std::chrono::steady_clock;

    /// Enters a new run.
    static Result<TrainingWriter> begin(TrainingStore &store, const TrainingStart &start);
    /// Goes on with a stored run that has ended.
    static Result<TrainingWriter> resume(TrainingStore &store, RowId run);

    RowId run() const { return m_run; }

    /// Stored at once when the last time is `interval` ago, else with what comes later. What cannot be stored is kept and
    /// tried again with the next.
    Result<void> append(const TrainingMetrics &metrics, Clock::duration interval = {}, Clock::time_point now = Clock::now());

    /// The rest and the end, in one transaction.
    Result<void> finish(const TrainingEnd &end);

private:
    TrainingWriter(TrainingStore &store, RowId run) : m_store(&store), m_run(run) {}

    TrainingStore *m_store;
    RowId m_run;
    TrainingMetrics m_waiting;
    Clock::time_point m_stored;
};

} // namespace lens
