// After each round: the KL divergence at every token between the first column's model and the others'. The first
// column is the reference; every other one is compared with it on its own text, and one of them, which can be chosen,
// also on the reference's text.
#pragma once

#include "bridge/chatcontroller.h"
#include "bridge/job.h"

#include <QObject>
#include <QPointer>
#include <QStringList>

namespace lens {

class Differences : public QObject {
    Q_OBJECT

public:
    /// Both must outlive it.
    Differences(Engine &engine, ChatController &chat, QObject *parent = nullptr);

    /// The column compared with the first on the first one's text; 1 unless chosen otherwise.
    int other() const { return m_other; }
    void setOther(int column);

Q_SIGNALS:
    void otherChanged(int column);
    /// On the first column's text, with other().
    void compared(const lens::ForcedComparison &comparison, const QStringList &tokenTexts);
    /// Why there is nothing to compare; empty: nothing to say.
    void cleared(const QString &notice);

private:
    void start();
    void cancel();
    void compare(int column, int textOf);
    QString obstacle(int column) const;

    Engine &m_engine;
    ChatController &m_chat;
    int m_other = 1;
    quint64 m_round = 0;
    QList<QPointer<Job>> m_jobs;
    JobRunner m_runner;
};

} // namespace lens
