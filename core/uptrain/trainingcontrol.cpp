#include "uptrain/uptrain.h"

namespace lens {

void TrainingControl::pause()
{
    const std::lock_guard lock(m_mutex);
    m_paused = true;
}

void TrainingControl::resume()
{
    const std::lock_guard lock(m_mutex);
    m_paused = false;
    m_changed.notify_all();
}

bool TrainingControl::isPaused() const
{
    const std::lock_guard lock(m_mutex);
    return m_paused;
}

void TrainingControl::stopAndKeep()
{
    const std::lock_guard lock(m_mutex);
    m_stop = true;
    m_changed.notify_all();
}

void TrainingControl::exportNow()
{
    const std::lock_guard lock(m_mutex);
    m_export = true;
    m_changed.notify_all();
}

bool TrainingControl::waitWhilePaused(std::stop_token stop) const
{
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, stop, [this] { return !m_paused || m_stop || m_export; });
    return !stop.stop_requested();
}

bool TrainingControl::wantsToStop() const
{
    const std::lock_guard lock(m_mutex);
    return m_stop;
}

bool TrainingControl::takeExportRequest()
{
    const std::lock_guard lock(m_mutex);
    return std::exchange(m_export, false);
}

} // namespace lens
