// Writes one training run into the workspace.
#pragma once

#include "bridge/storethread.h"
#include "store/trainingwriter.h"

#include <QObject>

#include <memory>

namespace lens {

class TrainingRecorder : public QObject {
    Q_OBJECT

public:
    /// `store` must outlive the recorder.
    explicit TrainingRecorder(StoreThread &store, QObject *parent = nullptr);

    /// One of these comes first; the others concern that run. All return at once and happen in this order.
    void begin(TrainingStart start);
    void resume(RowId run);
    /// What cannot be stored is kept and tried again with the next.
    void append(TrainingMetrics metrics);
    void finish(TrainingEnd end);

Q_SIGNALS:
    void begun(qint64 run);
    void saved();
    void finished();
    void failed(const lens::Error &error);

private:
    struct Written; ///< touched on the store's thread only

    void adopt(std::function<Result<TrainingWriter>(TrainingStore &)> open);
    void report(const Result<void> &result);

    StoreThread &m_store;
    std::shared_ptr<Written> m_written;
};

} // namespace lens
