// Writes the running session into the workspace: a turn before its answers begin, tokens twice a second.
#pragma once

#include "bridge/storethread.h"
#include "engine/engine.h"
#include "store/tokenwriter.h"

#include <QObject>

#include <functional>
#include <map>
#include <memory>

namespace lens {

/// A column as the session's next turn needs it.
struct RecordedColumn {
    RowId row = 0;   ///< 0: not yet in the workspace
    ModelInfo model; ///< empty name: none
    GenerationOptions options;
};

struct TurnRequest {
    RowId session = 0; ///< 0: begin a new one, called `title`
    QString title;
    QString systemPrompt;
    std::vector<RecordedColumn> columns; ///< all, left to right
    RowId parent = 0;
    QString prompt;
    std::vector<std::pair<int, RowId>> sharedAnswers; ///< column index, generation: kept from an older turn
};

struct TurnRows {
    RowId session = 0;
    RowId turn = 0;
    std::vector<RowId> columns; ///< left to right
    std::vector<RowId> models;  ///< of the columns; 0 where none is chosen
};

class SessionRecorder : public QObject {
    Q_OBJECT

public:
    /// `store` must outlive the recorder.
    explicit SessionRecorder(StoreThread &store, QObject *parent = nullptr);
    ~SessionRecorder() override;

    /// Session, columns and turn, on the disk when `done` is called.
    void commitTurn(TurnRequest request, std::function<void(Result<TurnRows>)> done);

    /// `key` is the caller's own number for this generation in what follows; `done` brings its row.
    void begin(quint64 key, GenerationStart start, std::function<void(Result<RowId>)> done);
    void resume(quint64 key, RowId generation);
    void append(quint64 key, std::vector<TokenEvent> events);
    void append(quint64 key, HeadFrame frame);
    void finish(quint64 key, GenerationOutcome outcome);

Q_SIGNALS:
    void saved();                          ///< something has reached the disk
    void failed(const lens::Error &error); ///< something has not

private:
    struct Writers;

    void report(const Result<void> &result); ///< from the store's thread

    StoreThread &m_store;
    std::shared_ptr<Writers> m_writers;
};

} // namespace lens
