// Long actions off the GUI thread: each has progress, can be cancelled, and delivers its result on the GUI thread.
#pragma once

#include "base/progress.h"
#include "base/result.h"

#include <QObject>
#include <QThreadPool>
#include <QTimer>

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>

namespace lens {

/// One running action. Lives on the GUI thread; deletes itself after finished().
class Job : public QObject {
    Q_OBJECT

public:
    explicit Job(QString title, QObject *parent = nullptr);

    const QString &title() const { return m_title; }
    Progress progress() const;
    std::stop_token stopToken() const { return m_stop.get_token(); }

    /// For the worker: remembers the newest progress; the GUI thread looks at it 30 times a second.
    ProgressFn progressFunction() const;

public Q_SLOTS:
    void cancel() { m_stop.request_stop(); }

Q_SIGNALS:
    void progressed(const lens::Progress &progress);
    void finished();

private:
    struct Latest {
        mutable std::mutex mutex;
        Progress progress;
        bool fresh = false;
    };

    void poll();

    QString m_title;
    std::stop_source m_stop;
    std::shared_ptr<Latest> m_latest = std::make_shared<Latest>();
    QTimer m_timer;
};

/// Runs jobs on its own threads. Destroying it cancels what runs and waits for it.
class JobRunner : public QObject {
    Q_OBJECT

public:
    explicit JobRunner(int threads, QObject *parent = nullptr);
    ~JobRunner() override;

    /// `work` runs on a worker thread, `done` afterwards on the GUI thread; `done` is dropped if the runner dies first.
    template <class T>
    Job *run(const QString &title, std::function<Result<T>(std::stop_token, const ProgressFn &)> work,
             std::function<void(Result<T>)> done)
    {
        Job *job = new Job(title, this);
        m_pool.start([this, job, stop = job->stopToken(), progress = job->progressFunction(), work = std::move(work),
                      done = std::move(done)] {
            auto result = std::make_shared<Result<T>>(work(stop, progress));
            QMetaObject::invokeMethod(
                this,
                [job, result, done] {
                    Q_EMIT job->finished();
                    done(std::move(*result));
                    job->deleteLater();
                },
                Qt::QueuedConnection);
        });
        return job;
    }

private:
    QThreadPool m_pool;
};

} // namespace lens

Q_DECLARE_METATYPE(lens::Progress)
