// The training run of this window: at most one at a time, on a thread of its own, recorded in the workspace. What it
// measures reaches the GUI thread about ten times a second.
#pragma once

#include "bridge/job.h"
#include "bridge/trainingapi.h"
#include "bridge/trainingdata.h"
#include "bridge/trainingrecorder.h"

#include <QElapsedTimer>
#include <QObject>
#include <QPointer>
#include <QTimer>

#include <functional>
#include <memory>
#include <optional>

namespace lens {

class TrainingController : public QObject {
    Q_OBJECT

public:
    enum class State {
        Idle,
        Preparing, ///< loading, tokenising; no step has been done yet
        Training,
        Paused,
        Stopping, ///< asked to end; the model or a checkpoint is being written
    };

    /// Both must outlive the controller.
    TrainingController(TrainingEngine &engine, StoreThread &store, QObject *parent = nullptr);
    /// Ends what runs, with a last checkpoint, and waits for it. In the workspace it counts as interrupted.
    ~TrainingController() override;

    State state() const { return m_state; }
    bool isRunning() const { return m_state != State::Idle; }
    /// False while the workspace is only read: its runs stay as they are, and none is begun. stateChanged() tells.
    bool canRecord() const { return m_store.access() != Access::Reading; }

    /// Busy while another one runs or the workspace is only read; InvalidArgument for a recipe that makes no sense.
    /// Everything else is told by failed().
    Result<void> start(const Recipe &recipe, const QString &name);
    /// Goes on from the newest checkpoint in the run's folder, with what was measured until then.
    Result<void> goOn(const TrainingRunRow &run);

    /// Of the present run, or the last one.
    qint64 run() const { return m_run; } ///< its row; 0 before it has one
    /// The workspace has it, or will in a moment.
    bool isRecorded() const { return m_entered; }
    const QString &runName() const { return m_name; }
    const Recipe &recipe() const { return m_recipe; }
    const TrainingMetrics &metrics() const { return m_metrics; }
    const Progress &progress() const { return m_progress; }
    const std::optional<TrainingOutcome> &outcome() const { return m_outcome; }

    /// For another form while a run may be going on; the newest request's answer is the only one that arrives.
    void estimate(const Recipe &recipe, std::function<void(Result<TrainingEstimate>)> done);

public Q_SLOTS:
    void pause();
    void resume();
    void stopAndKeep();
    void cancel();
    /// exported() tells when the model of this moment can be opened, exportFailed() that it cannot be written.
    void exportNow();

Q_SIGNALS:
    void stateChanged();
    void progressed(const lens::Progress &progress);
    /// metrics() has grown by these.
    void measured(const lens::TrainingMetrics &news);
    void exported(const QString &folder, const QString &original);
    void exportFailed(const lens::Error &error);
    /// One of these ends every run.
    void finished(const lens::TrainingOutcome &outcome);
    void failed(const lens::Error &error);

    void notSaved(const lens::Error &error);
    void runsChanged(); ///< the list in the workspace has changed

private:
    struct Mailbox;

    Result<void> mayBegin() const;
    void prepare(Recipe recipe, const QString &name, qint64 run);
    void launch(ResumeMode mode);
    TrainingListener listener() const;
    void drain();
    void record(bool now);
    void end(const Result<TrainingOutcome> &result);
    void setState(State state);

    TrainingEngine &m_engine;
    StoreThread &m_store;
    TrainingRecorder m_recorder;
    std::shared_ptr<Mailbox> m_mailbox;
    std::shared_ptr<TrainingControl> m_control;
    QTimer m_timer;
    QElapsedTimer m_recorded;
    State m_state = State::Idle;
    qint64 m_run = 0;
    bool m_entered = false; ///< the recorder knows the run
    bool m_cancelled = false; ///< asked for, perhaps before there is a job to be told
    quint64 m_estimates = 0;
    QString m_name;
    Recipe m_recipe;
    TrainingMetrics m_metrics;
    TrainingMetrics m_unrecorded;
    Progress m_progress;
    std::optional<TrainingOutcome> m_outcome;
    Job *m_job = nullptr; ///< null while what a run measured before is still being read
    QPointer<Job> m_estimate;
    JobRunner m_estimator;
    std::unique_ptr<JobRunner> m_runner;
};

} // namespace lens
