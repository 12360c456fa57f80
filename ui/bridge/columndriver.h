// Makes one column answer: runs its model, fills the Column with what comes, and has it recorded.
#pragma once

#include "bridge/column.h"
#include "bridge/columnrunner.h"
#include "bridge/sessionrecorder.h"

#include <QObject>

#include <memory>

namespace lens {

class ColumnDriver : public QObject {
    Q_OBJECT

public:
    /// `engine` and `recorder` must outlive the driver; without a recorder nothing is saved.
    ColumnDriver(Engine &engine, SessionRecorder *recorder, QObject *parent = nullptr);
    ~ColumnDriver() override;

    Column &column() { return *m_column; }
    const Column &column() const { return *m_column; }
    std::shared_ptr<Column> sharedColumn() { return m_column; }

    void setModel(ModelInfo info, LoadedModelPtr model);

    /// The ids an opened session's last answer continues; their texts follow when the model is there.
    void showPrompt(std::vector<TokenId> ids);

    /// Row of the column in the workspace, and of its model; 0 when not saved yet.
    RowId row = 0;
    RowId modelRow = 0;
    /// What was measured of an opened session's last answer; shown when the model is there.
    std::vector<HeadFrame> savedFrames;

    /// Answers the last exchange, whose turn has been committed.
    void answer(const QString &systemPrompt, GenerationOptions options);
    /// Goes on where the last answer ended.
    void continueAnswer(GenerationOptions options);
    void stop();
    bool isRunning() const { return m_runner.isRunning(); }

Q_SIGNALS:
    void measured(const lens::HeadFrame &frame);
    void tokensArrived();
    void finished();

private:
    void describePrompt();
    void start(GenerationRequest request);
    void onPrompt(const std::vector<TokenId> &ids, const QStringList &texts);
    void onTokens(const std::vector<TokenEvent> &events);
    void onFinished(const Result<GenerationResult> &result);
    GenerationOutcome outcomeOf(const Result<GenerationResult> &result) const;

    SessionRecorder *m_recorder;
    std::shared_ptr<Column> m_column = std::make_shared<Column>();
    ColumnRunner m_runner;
    GenerationOptions m_options;
    quint64 m_request = 0;
    quint64 m_key = 0; ///< of the recorder; 0 = not recorded
    bool m_continuing = false;
};

} // namespace lens
