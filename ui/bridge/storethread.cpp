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
        QDir().mkpath(QFileInfo(path).absolutePath());
        auto workspace = Workspace::open(path.toStdString());
        if (!workspace) {
            m_error = workspace.error();
            QMetaObject::invokeMethod(
                this, [this, error = m_error] { Q_EMIT failed(error); }, Qt::QueuedConnection);
            return;
        }
        m_workspace = std::move(*workspace);
        const auto interrupted = m_workspace->interruptedGenerations();
        const bool readOnly = m_workspace->isReadOnly();
        QMetaObject::invokeMethod(
            this, [this, path, interrupted, readOnly] { Q_EMIT opened(path, interrupted, readOnly); },
            Qt::QueuedConnection);
    });
}

} // namespace lens
