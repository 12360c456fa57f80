// The workspace on its own thread: closures go in, results come back on the GUI thread, in order.
#pragma once

#include "store/workspace.h"

#include <QObject>
#include <QThread>

#include <functional>
#include <memory>

namespace lens {

enum class Access { None, Reading, Writing };

class StoreThread : public QObject {
    Q_OBJECT

public:
    explicit StoreThread(QObject *parent = nullptr);
    /// Does all that was asked before, then closes the workspace.
    ~StoreThread() override;

    /// Opens the file, and while another program has it, only to read it; opened() or failed() tells. Everything asked
    /// for afterwards waits for it.
    void open(const QString &path);
    /// Again, unless it can be written already; opened() or failed() tells. What could be read can be read on.
    void openAgain();
    /// What opened() has told last; None before.
    Access access() const { return m_access; }

    /// `work` runs on the store's thread, `done` with its result on the GUI thread. Without a workspace (it could not
    /// be opened), `done` gets the error of opening.
    template <class T>
    void run(std::function<Result<T>(Workspace &)> work, std::function<void(Result<T>)> done = {})
    {
        post([this, work = std::move(work), done = std::move(done)] {
            auto result = std::make_shared<Result<T>>(m_workspace ? work(*m_workspace)
                                                                  : Result<T>(tl::unexpected<Error>(m_error)));
            QMetaObject::invokeMethod(
                this,
                [result, done] {
                    if (done)
                        done(std::move(*result));
                },
                Qt::QueuedConnection);
        });
    }

    /// Runs `work` on the store's thread, workspace or not.
    void post(std::function<void()> work);

    /// Returns when all that was asked before is done.
    void wait();

    /// On the store's thread only; null when it could not be opened.
    Workspace *workspace() const { return m_workspace.get(); }

Q_SIGNALS:
    void opened(const QString &path, qint64 interruptedGenerations, bool readOnly);
    void failed(const lens::Error &error);

private:
    void tryToOpen();

    QThread m_thread;
    QObject *m_context;
    Access m_access = Access::None;
    QString m_path;                         ///< on the store's thread only
    std::unique_ptr<Workspace> m_workspace; ///< likewise
    Error m_error;                          ///< likewise
};

} // namespace lens
