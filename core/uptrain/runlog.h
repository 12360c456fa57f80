// log.jsonl of a run: every measurement as one JSON object a line, beside what the listener is told.
#pragma once

#include "corpus/lineappender.h"
#include "uptrain/uptrain.h"

#include <filesystem>
#include <optional>

namespace lens {

/// Tells the listener what a log holds, line by line; lines that are no measurements, as the last of a killed run may be,
/// or whose lists do not fit each other, are passed over. ErrorCode::NotFound without a log.
Result<void> replayRunLog(const std::filesystem::path &file, const TrainingListener &listener);

/// When the disk refuses, lines are kept in memory and tried again with the next one; the listener gets one notice.
class RunLog {
public:
    /// `listener` must outlive it. Lines after step `upTo`, left by a run that went on beyond its last checkpoint, are
    /// dropped.
    static Result<RunLog> open(const std::filesystem::path &file, const TrainingListener &listener, std::int64_t upTo);

    /// Of a process that is not the first: nothing is written.
    static Result<RunLog> none(const TrainingListener &listener) { return RunLog({}, listener); }

    void record(const StepMetrics &metrics);
    void record(const EvaluationMetrics &metrics);
    void record(const LayerMetrics &metrics);
    void record(const SampleMetrics &metrics);
    void record(const TrainingNotice &notice);

    /// After step `step`: waits until everything recorded is on the disk, as well as that goes.
    void sync(std::int64_t step);

    const TrainingListener &listener() const { return *m_listener; }

private:
    RunLog(std::optional<LineAppender> file, const TrainingListener &listener) : m_file(std::move(file)), m_listener(&listener) {}

    void write(std::int64_t step, const std::string &line);
    void tellOfFailure(std::int64_t step, const Result<void> &written);

    std::optional<LineAppender> m_file;
    const TrainingListener *m_listener;
    bool m_failing = false;
};

} // namespace lens
