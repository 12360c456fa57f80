#include "bridge/sessionrecorder.h"

#include <QTimer>

namespace lens {
namespace {

Result<std::vector<RowId>> recordModels(Workspace &workspace, const std::vector<RecordedColumn> &columns)
{
    std::vector<RowId> rows;
    for (const RecordedColumn &column : columns) {
        if (column.model.name.empty()) {
            rows.push_back(0);
            continue;
        }
        const auto row = workspace.models().record(column.model);
        if (!row)
            return propagate(row);
        rows.push_back(*row);
    }
    return rows;
}

ColumnRow columnRow(const RecordedColumn &column, RowId session, RowId model)
{
    ColumnRow row;
    row.id = column.row;
    row.session = session;
    row.model = model;
    row.options = column.options;
    if (!column.model.device.empty())
        row.device = column.model.device;
    if (!column.model.dtype.empty())
        row.dtype = column.model.dtype;
    return row;
}

/// Makes the session's columns those of the request; returns their rows.
Result<std::vector<RowId>> syncColumns(Workspace &workspace, RowId session, const TurnRequest &request,
                                       const std::vector<RowId> &models)
{
    const auto present = workspace.sessions().columns(session);
    if (!present)
        return propagate(present);
    std::vector<RowId> rows;
    for (std::size_t i = 0; i < request.columns.size(); ++i) {
        const ColumnRow row = columnRow(request.columns[i], session, models[i]);
        if (row.id != 0) {
            if (const auto updated = workspace.sessions().updateColumn(row); !updated)
                return propagate(updated);
            rows.push_back(row.id);
            continue;
        }
        const auto added = workspace.sessions().addColumn(row);
        if (!added)
            return propagate(added);
        rows.push_back(*added);
    }
    for (const ColumnRow &old : *present) {
        if (std::find(rows.begin(), rows.end(), old.id) != rows.end())
            continue;
        if (const auto removed = workspace.sessions().removeColumn(old.id); !removed)
            return propagate(removed);
    }
    return rows;
}

Result<TurnRows> writeTurn(Workspace &workspace, const TurnRequest &request)
{
    TurnRows rows;
    auto models = recordModels(workspace, request.columns);
    if (!models)
        return propagate(models);
    rows.models = std::move(*models);
    rows.session = request.session;
    if (rows.session == 0) {
        const auto created =
            workspace.sessions().create(request.title.toStdString(), {}, request.systemPrompt.toStdString());
        if (!created)
            return propagate(created);
        rows.session = *created;
    } else if (const auto set = workspace.sessions().setSystemPrompt(rows.session, request.systemPrompt.toStdString());
               !set) {
        return propagate(set);
    }
    auto columns = syncColumns(workspace, rows.session, request, rows.models);
    if (!columns)
        return propagate(columns);
    rows.columns = std::move(*columns);
    TurnRow turn;
    turn.session = rows.session;
    turn.parent = request.parent;
    turn.prompt = request.prompt.toStdString();
    for (const auto &[column, generation] : request.sharedAnswers)
        turn.answers.push_back({rows.columns[std::size_t(column)], generation});
    std::sort(turn.answers.begin(), turn.answers.end(),
              [](const Answer &a, const Answer &b) { return a.column < b.column; });
    const auto added = workspace.sessions().addTurn(turn);
    if (!added)
        return propagate(added);
    rows.turn = *added;
    return rows;
}

StoredToken stored(const TokenEvent &event)
{
    StoredToken token;
    token.id = event.id;
    token.text = event.text;
    token.logprob = event.logprob;
    for (const TokenAlternative &alternative : event.alternatives)
        token.alternatives.push_back({alternative.id, alternative.text, alternative.logprob});
    token.seconds = event.seconds;
    token.stateBytes = event.stateBytes;
    return token;
}

} // namespace

/// Lives on the store's thread.
struct SessionRecorder::Writers {
    std::map<quint64, TokenWriter> byKey;
    QTimer *timer = nullptr;

    TokenWriter *find(quint64 key)
    {
        const auto found = byKey.find(key);
        return found == byKey.end() ? nullptr : &found->second;
    }
};

SessionRecorder::SessionRecorder(StoreThread &store, QObject *parent)
    : QObject(parent), m_store(store), m_writers(std::make_shared<Writers>())
{
    m_store.post([this, writers = m_writers] {
        writers->timer = new QTimer;
        writers->timer->setInterval(250);
        QObject::connect(writers->timer, &QTimer::timeout, writers->timer, [this, writers] {
            for (auto &[key, writer] : writers->byKey) {
                if (writer.waiting() == 0)
                    continue;
                const auto flushed = writer.flushIfDue();
                if (!flushed || writer.waiting() == 0)
                    report(flushed);
            }
        });
        writers->timer->start();
    });
}

SessionRecorder::~SessionRecorder()
{
    m_store.post([writers = m_writers] {
        writers->byKey.clear();
        delete writers->timer;
    });
    m_store.wait();
}

void SessionRecorder::report(const Result<void> &result)
{
    QMetaObject::invokeMethod(
        this,
        [this, result] {
            if (result)
                Q_EMIT saved();
            else
                Q_EMIT failed(result.error());
        },
        Qt::QueuedConnection);
}

void SessionRecorder::commitTurn(TurnRequest request, std::function<void(Result<TurnRows>)> done)
{
    m_store.run<TurnRows>(
        [request = std::move(request)](Workspace &workspace) { return writeTurn(workspace, request); },
        [this, done = std::move(done)](Result<TurnRows> rows) {
            if (rows)
                Q_EMIT saved();
            done(std::move(rows));
        });
}

void SessionRecorder::begin(quint64 key, GenerationStart start, std::function<void(Result<RowId>)> done)
{
    m_store.run<RowId>(
        [key, writers = m_writers, start = std::move(start)](Workspace &workspace) -> Result<RowId> {
            const auto row = workspace.generations().begin(start);
            if (!row)
                return propagate(row);
            writers->byKey.emplace(key, TokenWriter(workspace.generations(), *row));
            return *row;
        },
        std::move(done));
}

void SessionRecorder::resume(quint64 key, RowId generation)
{
    m_store.post([this, key, generation, writers = m_writers] {
        Workspace *workspace = m_store.workspace();
        if (!workspace)
            return;
        const auto resumed = workspace->generations().resume(generation);
        if (resumed)
            writers->byKey.emplace(key, TokenWriter(workspace->generations(), generation));
        report(resumed);
    });
}

void SessionRecorder::append(quint64 key, std::vector<TokenEvent> events)
{
    m_store.post([this, key, events = std::move(events), writers = m_writers] {
        TokenWriter *writer = writers->find(key);
        if (!writer)
            return;
        Result<void> result;
        for (const TokenEvent &event : events) {
            if (const auto appended = writer->append(stored(event)); !appended)
                result = propagate(appended);
        }
        if (!result || writer->waiting() == 0)
            report(result);
    });
}

void SessionRecorder::append(quint64 key, HeadFrame frame)
{
    m_store.post([this, key, frame = std::move(frame), writers = m_writers] {
        if (TokenWriter *writer = writers->find(key)) {
            if (const auto appended = writer->append(frame); !appended)
                report(appended);
        }
    });
}

void SessionRecorder::finish(quint64 key, GenerationOutcome outcome)
{
    m_store.post([this, key, outcome = std::move(outcome), writers = m_writers] {
        if (TokenWriter *writer = writers->find(key)) {
            report(writer->finish(outcome));
            writers->byKey.erase(key);
        }
    });
}

} // namespace lens
