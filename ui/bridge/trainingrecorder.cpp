#include "bridge/trainingrecorder.h"

#include "bridge/trainingdata.h"

#include <QPointer>

namespace lens {

struct TrainingRecorder::Written {
    RowId run = 0; ///< 0: could not be begun
    Error error;   ///< why not
    TrainingMetrics waiting;
};

TrainingRecorder::TrainingRecorder(StoreThread &store, QObject *parent) : QObject(parent), m_store(store)
{
}

void TrainingRecorder::adopt(std::function<Result<RowId>(Workspace &)> open)
{
    m_written = std::make_shared<Written>();
    m_store.run<RowId>(
        [written = m_written, open = std::move(open)](Workspace &workspace) {
            auto run = open(workspace);
            if (run)
                written->run = *run;
            else
                written->error = run.error();
            return run;
        },
        [self = QPointer(this)](const Result<RowId> &run) {
            if (!self)
                return;
            if (run)
                Q_EMIT self->begun(*run);
            else
                Q_EMIT self->failed(run.error());
        });
}

void TrainingRecorder::begin(TrainingStart start)
{
    adopt([start = std::move(start)](Workspace &workspace) { return workspace.training().begin(start); });
}

void TrainingRecorder::resume(RowId run)
{
    adopt([run](Workspace &workspace) -> Result<RowId> {
        if (const auto resumed = workspace.training().resume(run); !resumed)
            return propagate(resumed);
        return run;
    });
}

void TrainingRecorder::append(TrainingMetrics metrics)
{
    m_store.run<void>(
        [written = m_written, metrics = std::move(metrics)](Workspace &workspace) -> Result<void> {
            if (written->run == 0)
                return tl::unexpected<Error>(written->error);
            extend(written->waiting, metrics);
            const auto stored = workspace.training().append(written->run, written->waiting);
            if (stored)
                written->waiting = {};
            return stored;
        },
        [self = QPointer(this)](const Result<void> &result) {
            if (self)
                self->report(result);
        });
}

void TrainingRecorder::finish(TrainingEnd end)
{
    m_store.run<void>(
        [written = m_written, end = std::move(end)](Workspace &workspace) -> Result<void> {
            if (written->run == 0)
                return tl::unexpected<Error>(written->error);
            return workspace.training().finish(written->run, end, written->waiting);
        },
        [self = QPointer(this)](const Result<void> &result) {
            if (!self)
                return;
            self->report(result);
            Q_EMIT self->finished();
        });
}

void TrainingRecorder::report(const Result<void> &result)
{
    if (result)
        Q_EMIT saved();
    else
        Q_EMIT failed(result.error());
}

} // namespace lens
