// Attention of two columns' models over one text: measured on request, on a thread of its own; holds the matrices and
// hands out single heads and errors.
#pragma once

#include "bridge/chatcontroller.h"
#include "bridge/job.h"

#include <QObject>
#include <QPointer>
#include <QStringList>

#include <array>

namespace lens {

class AttentionMeter : public QObject {
    Q_OBJECT

public:
    /// Both must outlive it.
    AttentionMeter(Engine &engine, ChatController &chat, QObject *parent = nullptr);

public Q_SLOTS:
    /// Both columns' models on the first one's text; the same column twice, or -1 as second, measures one alone.
    void measure(int first, int second);
    void cancel();
    void requestHead(qint64 layer, qint64 head, lens::RowScaling scaling);
    void requestErrors(lens::RowScaling scaling);
    /// Frees the matrices.
    void clear();

Q_SIGNALS:
    void measuringChanged(bool measuring);
    void progressed(const lens::Progress &progress);
    void measured(const QStringList &tokenTexts, const QString &notice);
    void summaryReady(int column, const lens::AttentionSummary &summary);
    /// `side` is 0 or 1.
    void headReady(int side, const lens::HeadAttention &head);
    void errorsReady(const lens::AttentionErrors &errors, const QString &notice);
    void failed(const QString &notice);

private:
    using Map = std::shared_ptr<const AttentionMap>;
    using Pair = std::array<Map, 2>;

    void finish(std::array<int, 2> columns, const QStringList &texts, const QString &notice,
                const Result<Pair> &result);

    Engine &m_engine;
    ChatController &m_chat;
    Pair m_maps;
    QPointer<Job> m_job;
    quint64 m_measurement = 0;
    JobRunner m_runner;
};

} // namespace lens
