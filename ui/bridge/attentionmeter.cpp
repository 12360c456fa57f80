#include "bridge/attentionmeter.h"

#include "bridge/format.h"

#include <algorithm>

namespace lens {

AttentionMeter::AttentionMeter(Engine &engine, ChatController &chat, QObject *parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_runner(1)
{
}

void AttentionMeter::measure(int first, int second)
{
    cancel();
    const auto valid = [this](int column) { return column >= 0 && column < m_chat.columnCount(); };
    if (!valid(first) || !m_chat.column(first).model()) {
        Q_EMIT failed(tr("Load a model and ask something first"));
        return;
    }
    const LoadedModelPtr a = m_chat.column(first).model();
    LoadedModelPtr b = valid(second) && second != first ? m_chat.column(second).model() : nullptr;
    std::vector<TokenId> ids = m_chat.column(first).sequence();
    QStringList texts = m_chat.column(first).sequenceTexts();
    QString notice;
    if (b && a->info().vocabulary != b->info().vocabulary) {
        b = nullptr;
        notice = tr("Only the first is shown: the two models have different vocabularies");
    }
    if (ids.size() < 2) {
        Q_EMIT failed(tr("Ask something first: attention is measured on prompt and answer"));
        return;
    }
    std::int64_t limit = attentionLimit(a->info());
    if (b)
        limit = std::min(limit, attentionLimit(b->info()));
    if (std::int64_t(ids.size()) > limit) {
        ids.resize(std::size_t(limit));
        texts = texts.mid(0, limit);
        notice = tr("The first %1: more would need too much memory").arg(tokenCount(limit));
    }
    const std::array<int, 2> columns{first, b ? second : -1};
    m_job = m_runner.run<Pair>(
        tr("Measuring attention"),
        [this, a, b, ids](std::stop_token stop, const ProgressFn &progress) -> Result<Pair> {
            Pair maps;
            for (const auto &[slot, model] : {std::pair<int, const LoadedModelPtr &>(0, a), {1, b}}) {
                if (!model)
                    continue;
                auto map = m_engine.attention(*model, ids, stop, progress);
                if (!map)
                    return propagate(map);
                maps[std::size_t(slot)] = std::move(*map);
            }
            return maps;
        },
        [this, columns, texts, notice, number = ++m_measurement](const Result<Pair> &result) {
            if (number == m_measurement)
                finish(columns, texts, notice, result);
        });
    connect(m_job, &Job::progressed, this, &AttentionMeter::progressed);
    Q_EMIT measuringChanged(true);
}

void AttentionMeter::finish(std::array<int, 2> columns, const QStringList &texts, const QString &notice,
                            const Result<Pair> &result)
{
    Q_EMIT measuringChanged(false);
    if (!result) {
        if (result.error().code != ErrorCode::Cancelled)
            Q_EMIT failed(text(toString(result.error())));
        return;
    }
    m_maps = *result;
    for (std::size_t side = 0; side < m_maps.size(); ++side) {
        if (m_maps[side])
            Q_EMIT summaryReady(columns[side], m_maps[side]->summary());
    }
    Q_EMIT measured(texts, notice);
}

void AttentionMeter::cancel()
{
    if (!m_job)
        return;
    ++m_measurement;
    m_job->cancel();
    m_job = nullptr;
    Q_EMIT measuringChanged(false);
}

void AttentionMeter::clear()
{
    cancel();
    ++m_measurement;
    m_maps = {};
}

void AttentionMeter::requestHead(qint64 layer, qint64 head, RowScaling scaling)
{
    using Heads = std::array<std::optional<HeadAttention>, 2>;
    m_runner.run<Heads>(
        tr("Reading one head"),
        [maps = m_maps, layer, head, scaling](std::stop_token, const ProgressFn &) -> Result<Heads> {
            Heads heads;
            for (std::size_t side = 0; side < maps.size(); ++side) {
                if (maps[side] && layer < maps[side]->layers() && head < maps[side]->heads())
                    heads[side] = maps[side]->head(layer, head, scaling);
            }
            return heads;
        },
        [this, number = m_measurement](const Result<Heads> &heads) {
            for (int side = 0; heads && number == m_measurement && side < 2; ++side) {
                if ((*heads)[std::size_t(side)])
                    Q_EMIT headReady(side, *(*heads)[std::size_t(side)]);
            }
        });
}

void AttentionMeter::requestErrors(RowScaling scaling)
{
    if (!m_maps[0] || !m_maps[1]) {
        Q_EMIT errorsReady({}, {});
        return;
    }
    m_runner.run<AttentionErrors>(
        tr("Comparing all heads"),
        [maps = m_maps, scaling](std::stop_token, const ProgressFn &) { return maps[0]->errors(*maps[1], scaling); },
        [this, number = m_measurement](const Result<AttentionErrors> &errors) {
            if (number != m_measurement)
                return;
            if (errors)
                Q_EMIT errorsReady(*errors, {});
            else
                Q_EMIT errorsReady({}, text(errors.error().what));
        });
}

} // namespace lens
