#include "cli/trainingrecording.h"

#include "cli/version.h"
#include "engine/engine.h"
#include "uptrain/runlog.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens::cli {

namespace {

constexpr std::chrono::seconds Interval{1};

/// Both are told everything.
template <class T>
std::function<void(const T &)> both(std::function<void(const T &)> first, std::function<void(const T &)> second)
{
    return [first, second](const T &value) {
        if (first)
            first(value);
        if (second)
            second(value);
    };
}

} // namespace

Result<std::unique_ptr<TrainingRecording>> TrainingRecording::open(const std::string &file, const Recipe &recipe, bool resume)
{
    auto workspace = Workspace::open(file);
    if (!workspace)
        return propagate(workspace);
    return std::unique_ptr<TrainingRecording>(new TrainingRecording(std::move(*workspace), recipe, resume));
}

TrainingListener TrainingRecording::listener(const TrainingListener &then)
{
    TrainingListener listener = measuringListener([this](const TrainingMetrics &metrics) { append(metrics); });
    listener.step = both(listener.step, then.step);
    listener.evaluation = both(listener.evaluation, then.evaluation);
    listener.layers = both(listener.layers, then.layers);
    listener.sample = both(listener.sample, then.sample);
    listener.notice = both(listener.notice, then.notice);
    listener.progress = then.progress;
    listener.exported = then.exported;
    return listener;
}

void TrainingRecording::append(const TrainingMetrics &metrics)
{
    if (!m_writer && !m_notEntered)
        if (const auto entered = enter(); !entered)
            m_notEntered = entered.error();
    // What cannot be stored now is tried again with the next measurement, and at the end.
    if (m_writer)
        static_cast<void>(m_writer->append(metrics, Interval));
}

Result<void> TrainingRecording::enter()
{
    TrainingStore &store = m_workspace->training();
    RowId known = 0;
    if (m_resume) {
        const auto runs = store.list();
        if (!runs)
            return propagate(runs);
        const auto run = std::find_if(runs->begin(), runs->end(),
                                      [this](const TrainingRunRow &row) { return row.folder == m_recipe.out; });
        known = run == runs->end() ? 0 : run->id;
    }
    const std::filesystem::path folder = m_recipe.out;
    const std::string name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
    const TrainingStart start{m_recipe.out, name, toJson(m_recipe).dump(2, ' ', false, nlohmann::json::error_handler_t::replace),
                              totalSteps(m_recipe), version};
    auto writer = known ? TrainingWriter::resume(store, known) : TrainingWriter::begin(store, start);
    if (!writer)
        return propagate(writer);
    m_writer = std::move(*writer);
    return m_resume ? takeOverLog() : Result<void>();
}

/// What the workspace lacks: everything, or what a killed process had not stored yet.
Result<void> TrainingRecording::takeOverLog()
{
    TrainingMetrics logged;
    const auto listener = measuringListener([&logged](const TrainingMetrics &metrics) { extend(logged, metrics); });
    if (!replayRunLog(std::filesystem::path(m_recipe.out) / "log.jsonl", listener))
        return {};
    return m_writer->append(logged);
}

Result<void> TrainingRecording::finish(const Result<TrainingOutcome> &result)
{
    // A run that had all its steps already measures nothing any more.
    if (!m_writer && !m_notEntered && m_resume && result)
        if (const auto entered = enter(); !entered)
            return entered;
    if (m_notEntered)
        return tl::unexpected<Error>(*m_notEntered);
    if (!m_writer)
        return {};
    std::string fingerprint;
    if (result)
        if (const auto model = loadModel(result->folder, {}))
            fingerprint = (*model)->info().fingerprint;
    return m_writer->finish(endOfTraining(result, m_recipe.out, fingerprint));
}

} // namespace lens::cli
