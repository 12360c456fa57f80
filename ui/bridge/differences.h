// After each round: the first two columns' models forced through each other's text, and the KL divergence between
// them at every token.
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

Q_SIGNALS:
    /// On the first column's text.
    void compared(const lens::ForcedComparison &comparison, const QStringList &tokenTexts);
    /// Why there is nothing to compare; empty: nothing to say.
    void cleared(const QString &notice);

private:
    void start();
    void cancel();
    void compareOn(int column);
    QString obstacle() const;

    Engine &m_engine;
    ChatController &m_chat;
    quint64 m_round = 0;
    QList<QPointer<Job>> m_jobs;
    JobRunner m_runner;
};

} // namespace lens
