// log.jsonl of a run: every measurement as one JSON object a line, beside what the listener is told.
#pragma once

#include "uptrain/uptrain.h"

#include <filesystem>
#include <fstream>

namespace lens {

/// Tells the listener what a log holds, line by line; lines that are no measurements, as the last of a killed run may be,
/// are passed over. ErrorCode::NotFound without a log.
Result<void> replayRunLog(const std::filesystem::path &file, const TrainingListener &listener);

class RunLog {
public:
    /// `listener` must outlive it. Lines after step `upTo`, left by a run that went on beyond its last checkpoint, are
    /// dropped.
    static Result<RunLog> open(const std::filesystem::path &file, const TrainingListener &listener, std::int64_t upTo);

    /// Of a process that is not the first: nothing is written.
    static Result<RunLog> none(const TrainingListener &listener) { return RunLog(std::ofstream(), listener); }

    void record(const StepMetrics &metrics);
    void record(const EvaluationMetrics &metrics);
    void record(const LayerMetrics &metrics);
    void record(const SampleMetrics &metrics);
    void record(const TrainingNotice &notice);

    const TrainingListener &listener() const { return *m_listener; }

private:
    RunLog(std::ofstream stream, const TrainingListener &listener) : m_stream(std::move(stream)), m_listener(&listener) {}

    std::ofstream m_stream;
    const TrainingListener *m_listener;
};

} // namespace lens
