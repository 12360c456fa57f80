#include "store/trainingwriter.h"

#include <algorithm>

namespace lens {

namespace {

template <class T>
void extendList(std::vector<T> &all, const std::vector<T> &news)
{
    if (news.empty())
        return;
    while (!all.empty() && all.back().step >= news.front().step)
        all.pop_back();
    all.insert(all.end(), news.begin(), news.end());
}

} // namespace

void extend(TrainingMetrics &all, const TrainingMetrics &news)
{
    extendList(all.steps, news.steps);
    extendList(all.evaluations, news.evaluations);
    extendList(all.layers, news.layers);
    extendList(all.samples, news.samples);
    // Several notices may belong to one step and come one by one.
    for (const TrainingNotice &notice : news.notices) {
        const auto known = [&](const TrainingNotice &old) { return old.step == notice.step && old.text == notice.text; };
        if (std::none_of(all.notices.begin(), all.notices.end(), known))
            all.notices.push_back(notice);
    }
}

TrainingListener measuringListener(std::function<void(const TrainingMetrics &)> sink)
{
    const auto pass = [&sink]<class T>(std::vector<T> TrainingMetrics::*list) {
        return [sink, list](const T &measured) {
            TrainingMetrics news;
            (news.*list).push_back(measured);
            sink(news);
        };
    };
    TrainingListener listener;
    listener.step = pass(&TrainingMetrics::steps);
    listener.evaluation = pass(&TrainingMetrics::evaluations);
    listener.layers = pass(&TrainingMetrics::layers);
    listener.sample = pass(&TrainingMetrics::samples);
    listener.notice = pass(&TrainingMetrics::notices);
    return listener;
}

TrainingEnd endOfTraining(const Result<TrainingOutcome> &result, const std::string &folder,
                          const std::string &fingerprint)
{
    if (result)
        return {result->finished ? TrainingStatus::Finished : TrainingStatus::Stopped, {}, fingerprint};
    if (result.error().code == ErrorCode::Cancelled)
        return {TrainingStatus::Stopped, "cancelled; it can go on from its last checkpoint", {}};
    Error error = result.error();
    if (error.where == folder)
        error.where.clear();
    return {TrainingStatus::Failed, toString(error), {}};
}

Result<TrainingWriter> TrainingWriter::begin(TrainingStore &store, const TrainingStart &start)
{
    const auto run = store.begin(start);
    if (!run)
        return propagate(run);
    return TrainingWriter(store, *run);
}

Result<TrainingWriter> TrainingWriter::resume(TrainingStore &store, RowId run)
{
    if (const auto resumed = store.resume(run); !resumed)
        return propagate(resumed);
    return TrainingWriter(store, run);
}

Result<void> TrainingWriter::append(const TrainingMetrics &metrics, Clock::duration interval, Clock::time_point now)
{
    extend(m_waiting, metrics);
    if (m_stored != Clock::time_point() && now - m_stored < interval)
        return {};
    m_stored = now;
    const auto stored = m_store->append(m_run, m_waiting);
    if (stored)
        m_waiting = {};
    return stored;
}

Result<void> TrainingWriter::finish(const TrainingEnd &end)
{
    const auto stored = m_store->finish(m_run, end, m_waiting);
    if (stored)
        m_waiting = {};
    return stored;
}

} // namespace lens
