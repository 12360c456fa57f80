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
    connect(&chat, &ChatController::columnsChanged, this, forget);
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

QString Differences::obstacle() const
{
    const Column &first = m_chat.column(0), &second = m_chat.column(1);
    if (!first.model() || !second.model())
        return tr("KL needs a loaded model in the first two columns");
    if (first.info().vocabulary != second.info().vocabulary)
        return tr("no KL: the two models have different vocabularies");
    if (first.sequence().size() < 2)
        return tr("KL needs an answer of the first column");
    return {};
}

void Differences::start()
{
    cancel();
    const QString why = obstacle();
    if (!why.isEmpty()) {
        Q_EMIT cleared(why);
        return;
    }
    compareOn(0);
    if (m_chat.column(1).sequence().size() >= 2)
        compareOn(1);
}

void Differences::compareOn(int column)
{
    const LoadedModelPtr first = m_chat.column(0).model(), second = m_chat.column(1).model();
    const std::vector<TokenId> ids = m_chat.column(column).sequence();
    const QStringList texts = m_chat.column(column).sequenceTexts();
    m_jobs.append(m_runner.run<ForcedComparison>(
        tr("Comparing the columns"),
        [this, first, second, ids](std::stop_token stop, const ProgressFn &progress) {
            return m_engine.compare(*first, *second, ids, stop, progress);
        },
        [this, column, texts, round = m_round](const Result<ForcedComparison> &comparison) {
            if (round != m_round)
                return;
            if (!comparison) {
                if (column == 0)
                    Q_EMIT cleared(tr("no KL: %1").arg(text(comparison.error().what)));
                return;
            }
            m_chat.column(column).setKl(byPosition(comparison->kl));
            if (column == 0)
                Q_EMIT compared(*comparison, texts);
        }));
}

} // namespace lens
