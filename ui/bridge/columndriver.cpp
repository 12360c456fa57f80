#include "bridge/columndriver.h"

#include "bridge/format.h"

#include <QCoreApplication>
#include <QPointer>

#include <atomic>

namespace lens {
namespace {

quint64 nextKey()
{
    static std::atomic<quint64> last = 0;
    return ++last;
}

} // namespace

ColumnDriver::ColumnDriver(Engine &engine, SessionRecorder *recorder, QObject *parent)
    : QObject(parent), m_recorder(recorder), m_runner(engine)
{
    connect(&m_runner, &ColumnRunner::promptEncoded, this,
            [this](quint64 request, const std::vector<TokenId> &ids, const QStringList &texts) {
                if (request == m_request)
                    onPrompt(ids, texts);
            });
    connect(&m_runner, &ColumnRunner::described, this,
            [this](const std::vector<TokenId> &ids, const QStringList &texts) {
                if (ids == m_column->promptIds())
                    m_column->setPrompt(ids, texts);
            });
    connect(&m_runner, &ColumnRunner::progressed, this, [this](quint64 request, const Progress &progress) {
        if (request == m_request && m_column->activity() == Column::Activity::Reading && progress.total > 0)
            m_column->setReadingProgress(double(progress.done) / double(progress.total));
    });
    connect(&m_runner, &ColumnRunner::tokens, this, [this](quint64 request, const std::vector<TokenEvent> &events) {
        if (request == m_request)
            onTokens(events);
    });
    connect(&m_runner, &ColumnRunner::measured, this, [this](quint64 request, const HeadFrame &frame) {
        if (request != m_request)
            return;
        if (m_recorder && m_key)
            m_recorder->append(m_key, frame);
        Q_EMIT measured(frame);
    });
    connect(&m_runner, &ColumnRunner::finished, this, [this](quint64 request, const GenerationResult &result) {
        if (request == m_request)
            onFinished(result);
    });
    connect(&m_runner, &ColumnRunner::failed, this, [this](quint64 request, const Error &error) {
        if (request == m_request)
            onFinished(tl::unexpected<Error>(error));
    });
}

ColumnDriver::~ColumnDriver()
{
    m_runner.disconnect(this);
    if (m_recorder && m_key) {
        GenerationOutcome outcome;
        outcome.status = GenerationStatus::Cancelled;
        outcome.stopReason = name(StopReason::Cancelled);
        m_recorder->finish(m_key, outcome);
    }
}

void ColumnDriver::setModel(ModelInfo info, LoadedModelPtr model)
{
    if (m_column->model() != model)
        m_runner.setModel(model);
    m_column->setError({});
    m_column->setModel(std::move(info), std::move(model));
    describePrompt();
}

void ColumnDriver::showPrompt(std::vector<TokenId> ids)
{
    QStringList texts;
    for (const TokenId id : ids)
        texts.append(QStringLiteral("#%1").arg(id));
    m_column->setPrompt(std::move(ids), texts);
    describePrompt();
}

void ColumnDriver::describePrompt()
{
    if (m_column->model() && !m_column->promptIds().empty())
        m_runner.describe(m_column->promptIds());
}

void ColumnDriver::answer(const QString &systemPrompt, GenerationOptions options)
{
    GenerationRequest request;
    request.messages = messagesOf(m_column->exchanges(), systemPrompt);
    request.options = std::move(options);
    m_continuing = false;
    start(std::move(request));
}

void ColumnDriver::continueAnswer(GenerationOptions options)
{
    m_column->dropEndToken();
    GenerationRequest request;
    request.continuation = m_column->sequence();
    request.options = std::move(options);
    m_continuing = true;
    if (request.continuation.empty())
        return;
    start(std::move(request));
}

void ColumnDriver::start(GenerationRequest request)
{
    m_options = request.options;
    m_key = 0;
    savedFrames.clear();
    m_column->setError({});
    m_column->setActivity(Column::Activity::Reading);
    m_request = m_runner.start(std::move(request));
}

void ColumnDriver::stop()
{
    m_runner.stop();
}

void ColumnDriver::onPrompt(const std::vector<TokenId> &ids, const QStringList &texts)
{
    const Exchange *exchange = m_column->last();
    if (!exchange)
        return;
    const bool recorded = m_recorder && exchange->turn != 0 && row != 0 && modelRow != 0;
    if (m_continuing) {
        if (recorded && exchange->answer.generation != 0) {
            m_key = nextKey();
            m_recorder->resume(m_key, exchange->answer.generation);
        }
        return;
    }
    m_column->setPrompt(ids, texts);
    if (!recorded)
        return;
    m_key = nextKey();
    GenerationStart start;
    start.turn = exchange->turn;
    start.column = row;
    start.model = modelRow;
    start.modelFingerprint = m_column->info().fingerprint;
    start.device = m_column->info().device;
    start.dtype = m_column->info().dtype;
    start.build = QCoreApplication::applicationVersion().toStdString();
    start.options = m_options;
    start.promptIds = ids;
    const std::size_t index = m_column->exchanges().size() - 1;
    const RowId turn = exchange->turn;
    m_recorder->begin(m_key, std::move(start), [driver = QPointer(this), index, turn](const Result<RowId> &row) {
        if (!driver)
            return;
        const auto &exchanges = driver->m_column->exchanges();
        if (row && index < exchanges.size() && exchanges[index].turn == turn)
            driver->m_column->setGeneration(index, *row);
    });
}

void ColumnDriver::onTokens(const std::vector<TokenEvent> &events)
{
    if (m_recorder && m_key)
        m_recorder->append(m_key, events);
    m_column->setActivity(Column::Activity::Generating);
    m_column->appendTokens(events);
    Q_EMIT tokensArrived();
}

GenerationOutcome ColumnDriver::outcomeOf(const Result<GenerationResult> &result) const
{
    GenerationOutcome outcome;
    if (!result) {
        outcome.status = GenerationStatus::Failed;
        outcome.error = toString(result.error());
        return outcome;
    }
    const bool cancelled = result->reason == StopReason::Cancelled;
    outcome.status = cancelled ? GenerationStatus::Cancelled : GenerationStatus::Complete;
    outcome.stopReason = name(result->reason);
    outcome.prefillSeconds = result->prefillSeconds;
    outcome.decodeSeconds = result->decodeSeconds;
    outcome.firstTokenSeconds = result->firstTokenSeconds;
    outcome.reusedTokens = result->reusedTokens;
    outcome.stateBytes = result->stateBytes;
    return outcome;
}

void ColumnDriver::onFinished(const Result<GenerationResult> &result)
{
    if (m_recorder && m_key)
        m_recorder->finish(m_key, outcomeOf(result));
    m_key = 0;
    if (result)
        m_column->setOutcome(*result);
    else if (result.error().code != ErrorCode::Cancelled)
        m_column->setError(result.error());
    m_column->setActivity(Column::Activity::Idle);
    Q_EMIT finished();
}

} // namespace lens
