#include "bridge/trainingrecorder.h"

#include <QPointer>

#include <optional>

namespace lens {

/// Filled once the run is entered; without a writer, `error` says why it could not be.
struct TrainingRecorder::Written {
    std::optional<TrainingWriter> writer;
    Error error;

    template <class Act>
    Result<void> with(Act act)
    {
        return writer ? act(*writer) : tl::unexpected<Error>(error);
    }
};

TrainingRecorder::TrainingRecorder(StoreThread &store, QObject *parent) : QObject(parent), m_store(store)
{
}

void TrainingRecorder::adopt(std::function<Result<TrainingWriter>(TrainingStore &)> open)
{
    m_written = std::make_shared<Written>();
    m_store.run<RowId>(
        [written = m_written, open = std::move(open)](Workspace &workspace) -> Result<RowId> {
            const auto writer = open(workspace.training());
            if (!writer) {
                written->error = writer.error();
                return propagate(writer);
            }
            written->writer = *writer;
            return writer->run();
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
    adopt([start = std::move(start)](TrainingStore &store) { return TrainingWriter::begin(store, start); });
}

void TrainingRecorder::resume(RowId run)
{
    adopt([run](TrainingStore &store) { return TrainingWriter::resume(store, run); });
}

void TrainingRecorder::append(TrainingMetrics metrics)
{
    m_store.run<void>(
        [written = m_written, metrics = std::move(metrics)](Workspace &) {
            return written->with([&](TrainingWriter &writer) { return writer.append(metrics); });
        },
        [self = QPointer(this)](const Result<void> &result) {
            if (self)
                self->report(result);
        });
}

void TrainingRecorder::finish(TrainingEnd end)
{
    m_store.run<void>(
        [written = m_written, end = std::move(end)](Workspace &) {
            return written->with([&](TrainingWriter &writer) { return writer.finish(end); });
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
