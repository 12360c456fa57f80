// One session: its columns, and what is asked of them. A prompt is on the disk before any column begins to answer.
#pragma once

#include "bridge/columndriver.h"
#include "bridge/generationsettings.h"
#include "bridge/modellibrary.h"

#include <QObject>

#include <memory>
#include <vector>

namespace lens {

struct OpenedSession;

class ChatController : public QObject {
    Q_OBJECT

public:
    static constexpr int minColumns = 2;
    static constexpr int maxColumns = 4;

    /// All must outlive the controller; without a recorder nothing is saved.
    ChatController(Engine &engine, ModelLibrary &library, SessionRecorder *recorder, QObject *parent = nullptr);
    ~ChatController() override;

    int columnCount() const { return int(m_drivers.size()); }
    Column &column(int index) { return m_drivers[std::size_t(index)]->column(); }
    const Column &column(int index) const { return m_drivers[std::size_t(index)]->column(); }
    /// For views, which may live a little longer than their column does here.
    std::shared_ptr<Column> sharedColumn(int index) { return m_drivers[std::size_t(index)]->sharedColumn(); }

    void setColumnCount(int count);
    void removeColumn(int index);

    /// Loads the entry when needed and shows it in the column.
    void chooseModel(int index, quint64 entry);
    /// The library entry a column shows or waits for; 0 for none.
    quint64 chosenModel(int index) const { return m_chosen[std::size_t(index)]; }

    const GenerationSettings &settings() const { return m_settings; }
    void setSettings(const GenerationSettings &settings);

    RowId session() const { return m_session; }
    const QString &title() const { return m_title; }

    /// Whether conversations are kept from now on. One is kept whole or not at all: what was begun or opened without
    /// stays out of the workspace to its end.
    void setKeeping(bool keeping);
    /// The one on show, with what is asked next.
    bool isKept() const { return m_kept; }

    /// Begins an empty session; models stay.
    void newSession();
    void show(OpenedSession session);

    /// The column whose first difference from column 0 is outlined there and told by firstDifferenceChanged().
    void setComparedColumn(int index);

    bool canSend() const;
    bool isBusy() const;

public Q_SLOTS:
    /// To all columns that take part, or to one alone.
    void send(const QString &prompt, int onlyColumn = -1);
    void stop(int index);
    void stopAll();
    void regenerate(int index);
    void regenerateAll();
    void continueAnswer(int index);
    /// Asks anew from that exchange on, in all columns that were asked then.
    void editAndResend(int index, std::size_t exchange, const QString &prompt);

Q_SIGNALS:
    void columnsChanged(); ///< number or order
    void columnModelChanged(int index);
    void measured(int index, const lens::HeadFrame &frame);
    void promptEncoded(int index);
    void answerStarted(); ///< whatever was measured on the old text is out of date
    void firstDifferenceChanged(qint64 position, const QString &first, const QString &second);
    void busyChanged(bool busy);
    void roundFinished();              ///< no column is answering any more
    void sessionChanged();             ///< another one, or its title
    void keptChanged();
    void restored();                   ///< an opened session and all its models are there
    void sessionSaved(qint64 session); ///< a turn was committed: the list of sessions is out of date
    void notSaved(const lens::Error &error);

private:
    void addDriver();
    void setKept(bool kept);
    void beginRound();
    void announceRestored();
    void onModelLoaded(quint64 entry);
    void onColumnFinished();
    void updateDifference();
    void commitAndAnswer(const QString &prompt, RowId parent, const std::vector<int> &asked, quint64 seedOffset);
    void startAnswers(const std::vector<int> &asked, quint64 seedOffset);
    GenerationOptions optionsFor(quint64 seedOffset) const;
    TurnRequest turnRequest(const QString &prompt, RowId parent) const;

    Engine &m_engine;
    ModelLibrary &m_library;
    SessionRecorder *m_recorder;
    std::vector<std::unique_ptr<ColumnDriver>> m_drivers;
    std::vector<quint64> m_chosen;
    GenerationSettings m_settings;
    RowId m_session = 0;
    RowId m_turn = 0;
    QString m_title;
    quint64 m_round = 0; ///< commits that come back for an earlier one are dropped
    quint64 m_regenerations = 0;
    int m_compared = 1;
    bool m_busy = false;
    bool m_keeping;
    bool m_kept;
};

} // namespace lens
