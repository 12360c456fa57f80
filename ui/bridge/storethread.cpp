#include "bridge/storethread.h"

#include <QDir>
#include <QFileInfo>

namespace lens {

StoreThread::StoreThread(QObject *parent)
    : QObject(parent), m_context(new QObject), m_error{ErrorCode::NotFound, "no workspace is open", {}, {}}
{
    m_context->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_context, &QObject::deleteLater);
    m_thread.start();
}

StoreThread::~StoreThread()
{
    post([this] { m_workspace.reset(); });
    post([this] { m_thread.quit(); });
    m_thread.wait();
}

void StoreThread::post(std::function<void()> work)
{
    QMetaObject::invokeMethod(m_context, std::move(work), Qt::QueuedConnection);
}

void StoreThread::wait()
{
    QMetaObject::invokeMethod(
        m_context, [] {}, Qt::BlockingQueuedConnection);
}

void StoreThread::open(const QString &path)
{
    post([this, path] {
        m_path = path;
        tryToOpen();
    });
}

void StoreThread::openAgain()
{
    post([this] {
        if (!m_workspace || m_workspace->isReadOnly())
            tryToOpen();
    });
}

void StoreThread::tryToOpen()
{
    QDir().mkpath(QFileInfo(m_path).absolutePath());
    auto workspace = Workspace::open(m_path.toStdString());
    if (!workspace && workspace.error().code == ErrorCode::Busy) {
        // If it cannot even be read, that it is in use is what a person can do something about.
        if (auto reading = Workspace::open(m_path.toStdString(), {.readOnly = true}))
            workspace = std::move(reading);
    }
    if (!workspace) {
        m_error = workspace.error();
        QMetaObject::invokeMethod(
            this, [this, error = m_error] { Q_EMIT failed(error); }, Qt::QueuedConnection);
        return;
    }
    // Writers refer to their workspace, but none was ever made for one that is only read.
    m_workspace = std::move(*workspace);
    QMetaObject::invokeMethod(
        this,
        [this, path = m_path, interrupted = m_workspace->interruptedGenerations(),
         readOnly = m_workspace->isReadOnly()] {
            m_access = readOnly ? Access::Reading : Access::Writing;
            Q_EMIT opened(path, interrupted, readOnly);
        },
        Qt::QueuedConnection);
}

} // namespace lens
