#include "bridge/column.h"

#include "bridge/format.h"

namespace lens {

Column::Column(QObject *parent) : QObject(parent)
{
}

void Column::setModel(ModelInfo info, LoadedModelPtr model)
{
    m_info = std::move(info);
    m_model = std::move(model);
    Q_EMIT modelChanged();
}

void Column::setExchanges(std::vector<Exchange> exchanges)
{
    m_exchanges = std::move(exchanges);
    m_difference = -1;
    Q_EMIT exchangesReset();
}

void Column::appendExchange(Exchange exchange)
{
    m_exchanges.push_back(std::move(exchange));
    m_promptIds.clear();
    m_promptTexts.clear();
    m_difference = -1;
    Q_EMIT exchangeAppended();
}

void Column::truncate(std::size_t count)
{
    if (count >= m_exchanges.size())
        return;
    m_exchanges.erase(m_exchanges.begin() + std::ptrdiff_t(count), m_exchanges.end());
    m_difference = -1;
    Q_EMIT exchangesReset();
}

void Column::appendTokens(const std::vector<TokenEvent> &events)
{
    if (m_exchanges.empty() || events.empty())
        return;
    ColumnAnswer &answer = m_exchanges.back().answer;
    const qsizetype first = qsizetype(answer.tokens.size());
    for (const TokenEvent &event : events) {
        const QString shown = text(event.text);
        answer.text += shown;
        answer.tokens.push_back({event.id, shown, event.position, event.logprob, event.alternatives});
    }
    const TokenEvent &latest = events.back();
    answer.cost.stateBytes = latest.stateBytes;
    answer.cost.contextTokens = latest.position + 1;
    if (first == 0)
        answer.cost.firstTokenSeconds = events.front().seconds;
    const double decoding = latest.seconds - answer.cost.firstTokenSeconds;
    if (decoding > 0)
        answer.cost.tokensPerSecond = double(answer.tokens.size() - 1) / decoding;
    Q_EMIT tokensAppended(first);
}

void Column::dropEndToken()
{
    if (m_exchanges.empty())
        return;
    auto &tokens = m_exchanges.back().answer.tokens;
    if (tokens.empty() || !tokens.back().text.isEmpty())
        return;
    tokens.pop_back();
    Q_EMIT exchangesReset();
}

void Column::setOutcome(const GenerationResult &result)
{
    if (m_exchanges.empty())
        return;
    ColumnAnswer &answer = m_exchanges.back().answer;
    answer.reason = result.reason;
    answer.interrupted = false;
    answer.cost.stateBytes = result.stateBytes;
    answer.cost.firstTokenSeconds = result.firstTokenSeconds;
    if (result.tokensPerSecond() > 0)
        answer.cost.tokensPerSecond = result.tokensPerSecond();
    Q_EMIT answerChanged();
}

void Column::setGeneration(std::size_t exchange, RowId generation)
{
    if (exchange < m_exchanges.size())
        m_exchanges[exchange].answer.generation = generation;
}

void Column::setTurn(std::size_t exchange, RowId turn)
{
    if (exchange < m_exchanges.size())
        m_exchanges[exchange].turn = turn;
}

void Column::setKl(const std::vector<float> &klByPosition)
{
    if (m_exchanges.empty())
        return;
    for (ShownToken &token : m_exchanges.back().answer.tokens) {
        const bool known = token.position >= 0 && std::size_t(token.position) < klByPosition.size();
        token.kl = known ? klByPosition[std::size_t(token.position)] : std::numeric_limits<float>::quiet_NaN();
    }
    Q_EMIT answerChanged();
}

void Column::setPrompt(std::vector<TokenId> ids, QStringList texts)
{
    m_promptIds = std::move(ids);
    m_promptTexts = std::move(texts);
    Q_EMIT promptEncoded();
}

std::vector<TokenId> Column::sequence() const
{
    std::vector<TokenId> ids = m_promptIds;
    if (const Exchange *exchange = last()) {
        for (const ShownToken &token : exchange->answer.tokens) {
            if (std::size_t(token.position) == ids.size())
                ids.push_back(token.id);
        }
    }
    return ids;
}

QStringList Column::sequenceTexts() const
{
    QStringList texts = m_promptTexts;
    if (const Exchange *exchange = last()) {
        for (const ShownToken &token : exchange->answer.tokens) {
            if (token.position == texts.size())
                texts.append(token.text);
        }
    }
    return texts;
}

void Column::setActivity(Activity activity)
{
    if (activity == m_activity)
        return;
    m_activity = activity;
    m_reading = -1;
    Q_EMIT activityChanged();
}

void Column::setReadingProgress(double fraction)
{
    m_reading = fraction;
    Q_EMIT activityChanged();
}

void Column::setError(std::optional<Error> error)
{
    m_error = std::move(error);
    Q_EMIT errorChanged();
}

void Column::setTakesPart(bool takesPart)
{
    if (takesPart == m_takesPart)
        return;
    m_takesPart = takesPart;
    Q_EMIT takesPartChanged();
}

void Column::setDifferenceIndex(qsizetype index)
{
    if (index == m_difference)
        return;
    m_difference = index;
    Q_EMIT answerChanged();
}

} // namespace lens
