#include "bridge/job.h"

namespace lens {

Job::Job(QString title, QObject *parent) : QObject(parent), m_title(std::move(title))
{
    m_timer.setInterval(33);
    connect(&m_timer, &QTimer::timeout, this, &Job::poll);
    connect(this, &Job::finished, &m_timer, &QTimer::stop);
    m_timer.start();
}

Progress Job::progress() const
{
    const std::lock_guard lock(m_latest->mutex);
    return m_latest->progress;
}

ProgressFn Job::progressFunction() const
{
    return [latest = m_latest](const Progress &progress) {
        const std::lock_guard lock(latest->mutex);
        latest->progress = progress;
        latest->fresh = true;
    };
}

void Job::poll()
{
    Progress progress;
    {
        const std::lock_guard lock(m_latest->mutex);
        if (!m_latest->fresh)
            return;
        m_latest->fresh = false;
        progress = m_latest->progress;
    }
    Q_EMIT progressed(progress);
}

JobRunner::JobRunner(int threads, QObject *parent) : QObject(parent)
{
    m_pool.setMaxThreadCount(threads);
}

JobRunner::~JobRunner()
{
    for (Job *job : findChildren<Job *>(Qt::FindDirectChildrenOnly))
        job->cancel();
    m_pool.waitForDone();
}

} // namespace lens
