#include "bridge/differences.h"

#include "bridge/format.h"

#include <limits>

namespace lens {
namespace {

/// kl[t] speaks of the prediction of token t + 1.
std::vector<float> byPosition(const std::vector<float> &kl)
{
    std::vector<float> values{std::numeric_limits<float>::quiet_NaN()};
    values.insert(values.end(), kl.begin(), kl.end());
    return values;
}

} // namespace

Differences::Differences(Engine &engine, ChatController &chat, QObject *parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_runner(1)
{
    connect(&chat, &ChatController::roundFinished, this, &Differences::start);
    connect(&chat, &ChatController::restored, this, &Differences::start);
    const auto forget = [this] {
        cancel();
        Q_EMIT cleared({});
    };
    connect(&chat, &ChatController::answerStarted, this, forget);
    connect(&chat, &ChatController::columnsChanged, this, [this, forget] {
        forget();
        if (m_other >= m_chat.columnCount()) {
            m_other = 1;
            Q_EMIT otherChanged(m_other);
        }
        if (!m_chat.isBusy() && m_chat.column(0).last())
            start();
    });
}

void Differences::cancel()
{
    ++m_round;
    for (const auto &job : std::as_const(m_jobs)) {
        if (job)
            job->cancel();
    }
    m_jobs.clear();
}

QString Differences::obstacle(int column) const
{
    const Column &first = m_chat.column(0), &second = m_chat.column(column);
    if (!first.model() || !second.model())
        return tr("KL needs a loaded model in both columns");
    if (first.info().vocabulary != second.info().vocabulary)
        return tr("no KL: the two models have different vocabularies");
    return {};
}

void Differences::setOther(int column)
{
    if (column == m_other || column < 1 || column >= m_chat.columnCount())
        return;
    m_other = column;
    Q_EMIT otherChanged(column);
    if (!m_chat.isBusy() && m_chat.column(0).last())
        start();
}

void Differences::start()
{
    cancel();
    QString why = obstacle(m_other);
    if (why.isEmpty() && m_chat.column(0).sequence().size() < 2)
        why = tr("KL needs an answer of the first column");
    if (why.isEmpty())
        compare(m_other, 0);
    else
        Q_EMIT cleared(why);
    for (int i = 1; i < m_chat.columnCount(); ++i) {
        if (obstacle(i).isEmpty() && m_chat.column(i).sequence().size() >= 2)
            compare(i, i);
    }
}

void Differences::compare(int column, int textOf)
{
    const LoadedModelPtr first = m_chat.column(0).model(), second = m_chat.column(column).model();
    const std::vector<TokenId> ids = m_chat.column(textOf).sequence();
    const QStringList texts = m_chat.column(textOf).sequenceTexts();
    m_jobs.append(m_runner.run<ForcedComparison>(
        tr("Comparing the columns"),
        [this, first, second, ids](std::stop_token stop, const ProgressFn &progress) {
            return m_engine.compare(*first, *second, ids, stop, progress);
        },
        [this, textOf, texts, round = m_round](const Result<ForcedComparison> &comparison) {
            if (round != m_round)
                return;
            if (!comparison) {
                if (textOf == 0)
                    Q_EMIT cleared(tr("no KL: %1").arg(text(comparison.error().what)));
                return;
            }
            m_chat.column(textOf).setKl(byPosition(comparison->kl));
            if (textOf == 0)
                Q_EMIT compared(*comparison, texts);
        }));
}

} // namespace lens
