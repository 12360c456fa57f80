#include "store/sessionstore.h"

#include "store/connection.h"
#include "store/jsonforms.h"
#include "store/rows.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::size_t previewBytes = 200;

const char *condition(SessionFilter filter)
{
    switch (filter) {
    case SessionFilter::Active: return "deleted = 0 AND archived = 0";
    case SessionFilter::Archived: return "deleted = 0 AND archived = 1";
    case SessionFilter::Deleted: return "deleted <> 0";
    }
    return "0";
}

std::string cut(std::string text)
{
    if (text.size() <= previewBytes)
        return text;
    std::size_t end = previewBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    text.resize(end);
    return text;
}

void insertColumn(Connection &connection, RowId session, std::int64_t position, const ColumnRow &column)
{
    connection.execute("INSERT INTO session_columns (session, position, model, device, dtype, system_prompt, options) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                       session, position, orNull(column.model), column.device, column.dtype, column.systemPrompt,
                       dumpJson(toJson(column.options)));
}

SessionSummary summarise(Connection &connection, SessionRow session)
{
    SessionSummary summary;
    SQLite::Statement models =
        connection.prepare("SELECT coalesce(json_extract(m.info, '$.name'), '') FROM session_columns c "
                           "LEFT JOIN models m ON c.model = m.id "
                           "WHERE c.session = ?1 AND c.removed = 0 ORDER BY c.position",
                           session.id);
    while (models.executeStep())
        summary.models.push_back(models.getColumn(0).getString());
    SQLite::Statement turns = connection.prepare("SELECT count(*) FROM turns WHERE session = ?1", session.id);
    turns.executeStep();
    summary.turns = turns.getColumn(0).getInt64();
    SQLite::Statement prompt = connection.prepare(
        "SELECT substr(prompt, 1, 200) FROM turns WHERE session = ?1 AND parent IS NULL ORDER BY id LIMIT 1",
        session.id);
    if (prompt.executeStep())
        summary.firstPrompt = cut(prompt.getColumn(0).getString());
    summary.session = std::move(session);
    return summary;
}

/// Runs an UPDATE of one session and says so when there is none.
template <class... Args>
Result<void> update(Connection &connection, const char *sql, RowId session, const Args &...args)
{
    return connection.write([&]() -> Result<void> {
        if (connection.execute(sql, session, args...) == 0)
            return noSuch(connection, "session", session);
        return {};
    });
}

Result<std::vector<ColumnRow>> readColumns(Connection &connection, RowId session, bool withRemoved)
{
    const std::string sql = std::string("SELECT ") + columnColumns + " FROM session_columns c WHERE c.session = ?1 " +
                            (withRemoved ? "" : "AND c.removed = 0 ") + "ORDER BY c.removed, c.position, c.id";
    SQLite::Statement rows = connection.prepare(sql.c_str(), session);
    std::vector<ColumnRow> columns;
    while (rows.executeStep()) {
        auto column = readColumn(rows);
        if (!column)
            return propagate(column);
        columns.push_back(std::move(*column));
    }
    return columns;
}

} // namespace

SessionStore::SessionStore(Connection &connection) : m_connection(connection)
{
}

Result<RowId> SessionStore::create(const std::string &title, const std::vector<ColumnRow> &columns,
                                   const std::string &systemPrompt)
{
    return m_connection.write([&]() -> Result<RowId> {
        m_connection.execute("INSERT INTO sessions (title, system_prompt, created, modified) VALUES (?1, ?2, ?3, ?3)",
                             title, systemPrompt, currentTime());
        const RowId session = m_connection.lastId();
        indexText(m_connection, SearchKind::Title, session, title);
        for (std::size_t i = 0; i < columns.size(); ++i)
            insertColumn(m_connection, session, static_cast<std::int64_t>(i), columns[i]);
        return session;
    });
}

Result<SessionRow> SessionStore::get(RowId session)
{
    return m_connection.read([&]() -> Result<SessionRow> {
        const std::string sql = std::string("SELECT ") + sessionColumns + " FROM sessions s WHERE s.id = ?1";
        SQLite::Statement row = m_connection.prepare(sql.c_str(), session);
        if (!row.executeStep())
            return noSuch(m_connection, "session", session);
        return readSession(row);
    });
}

Result<std::vector<SessionSummary>> SessionStore::list(const SessionQuery &query)
{
    return m_connection.read([&]() -> Result<std::vector<SessionSummary>> {
        const std::string sql = std::string("SELECT ") + sessionColumns + " FROM sessions s WHERE " +
                                condition(query.filter) + " ORDER BY s.modified DESC, s.id DESC LIMIT ?1 OFFSET ?2";
        SQLite::Statement rows = m_connection.prepare(sql.c_str(), std::max<std::int64_t>(query.limit, 0),
                                                      std::max<std::int64_t>(query.offset, 0));
        std::vector<SessionSummary> page;
        while (rows.executeStep())
            page.push_back(summarise(m_connection, readSession(rows)));
        return page;
    });
}

Result<std::int64_t> SessionStore::count(SessionFilter filter)
{
    return m_connection.read([&]() -> Result<std::int64_t> {
        const std::string sql = std::string("SELECT count(*) FROM sessions WHERE ") + condition(filter);
        SQLite::Statement row = m_connection.prepare(sql.c_str());
        row.executeStep();
        return row.getColumn(0).getInt64();
    });
}

Result<void> SessionStore::rename(RowId session, const std::string &title)
{
    return m_connection.write([&]() -> Result<void> {
        const auto renamed = update(m_connection, "UPDATE sessions SET title = ?2, modified = ?3 WHERE id = ?1",
                                    session, title, currentTime());
        if (renamed)
            indexText(m_connection, SearchKind::Title, session, title);
        return renamed;
    });
}

Result<void> SessionStore::setSystemPrompt(RowId session, const std::string &systemPrompt)
{
    return update(m_connection, "UPDATE sessions SET system_prompt = ?2, modified = ?3 WHERE id = ?1", session,
                  systemPrompt, currentTime());
}

Result<void> SessionStore::setArchived(RowId session, bool archived)
{
    return update(m_connection, "UPDATE sessions SET archived = ?2 WHERE id = ?1", session, archived ? 1 : 0);
}

Result<void> SessionStore::moveToBin(RowId session)
{
    return update(m_connection, "UPDATE sessions SET deleted = ?2 WHERE id = ?1", session, currentTime());
}

Result<void> SessionStore::restore(RowId session)
{
    return update(m_connection, "UPDATE sessions SET deleted = 0 WHERE id = ?1", session);
}

Result<std::int64_t> SessionStore::emptyBin(Milliseconds before)
{
    return m_connection.write([&]() -> Result<std::int64_t> {
        std::vector<RowId> sessions;
        SQLite::Statement rows =
            m_connection.prepare("SELECT id FROM sessions WHERE deleted <> 0 AND deleted < ?1", before);
        while (rows.executeStep())
            sessions.push_back(rows.getColumn(0).getInt64());
        for (const RowId session : sessions) {
            unindexSession(m_connection, session);
            m_connection.execute("DELETE FROM sessions WHERE id = ?1", session);
        }
        return static_cast<std::int64_t>(sessions.size());
    });
}

Result<SessionContent> SessionStore::content(RowId session)
{
    return m_connection.read([&]() -> Result<SessionContent> {
        auto row = get(session);
        if (!row)
            return propagate(row);
        auto columns = readColumns(m_connection, session, true);
        if (!columns)
            return propagate(columns);
        SessionContent content{std::move(*row), std::move(*columns), {}, {}};
        SQLite::Statement turns = m_connection.prepare("SELECT id FROM turns WHERE session = ?1 ORDER BY id", session);
        while (turns.executeStep()) {
            auto read = turn(turns.getColumn(0).getInt64());
            if (!read)
                return propagate(read);
            content.turns.push_back(std::move(*read));
        }
        const std::string sql = std::string("SELECT ") + generationColumns +
                                " FROM generations g JOIN turns t ON g.turn = t.id WHERE t.session = ?1 ORDER BY g.id";
        SQLite::Statement rows = m_connection.prepare(sql.c_str(), session);
        while (rows.executeStep()) {
            auto generation = readGeneration(rows);
            if (!generation)
                return propagate(generation);
            content.generations.push_back(std::move(*generation));
        }
        return content;
    });
}

Result<std::vector<ColumnRow>> SessionStore::columns(RowId session)
{
    return m_connection.read([&] { return readColumns(m_connection, session, false); });
}

Result<RowId> SessionStore::addColumn(const ColumnRow &column)
{
    return m_connection.write([&]() -> Result<RowId> {
        const auto present = readColumns(m_connection, column.session, false);
        if (!present)
            return propagate(present);
        if (const auto session = get(column.session); !session)
            return propagate(session);
        insertColumn(m_connection, column.session, static_cast<std::int64_t>(present->size()), column);
        const RowId id = m_connection.lastId();
        touchSession(m_connection, column.session);
        return id;
    });
}

Result<void> SessionStore::updateColumn(const ColumnRow &column)
{
    return m_connection.write([&]() -> Result<void> {
        const int changed = m_connection.execute("UPDATE session_columns SET model = ?2, device = ?3, dtype = ?4, "
                                                 "system_prompt = ?5, options = ?6 WHERE id = ?1",
                                                 column.id, orNull(column.model), column.device, column.dtype,
                                                 column.systemPrompt, dumpJson(toJson(column.options)));
        if (changed == 0)
            return noSuch(m_connection, "column", column.id);
        return {};
    });
}

Result<void> SessionStore::removeColumn(RowId column)
{
    return m_connection.write([&]() -> Result<void> {
        if (m_connection.execute("UPDATE session_columns SET removed = 1 WHERE id = ?1", column) == 0)
            return noSuch(m_connection, "column", column);
        m_connection.execute("UPDATE session_columns AS c SET position = c.position - 1 FROM session_columns AS gone "
                             "WHERE gone.id = ?1 AND c.session = gone.session AND c.removed = 0 "
                             "AND c.position > gone.position",
                             column);
        return {};
    });
}

Result<void> SessionStore::orderColumns(RowId session, const std::vector<RowId> &order)
{
    return m_connection.write([&]() -> Result<void> {
        const auto present = readColumns(m_connection, session, false);
        if (!present)
            return propagate(present);
        std::vector<RowId> ids;
        for (const ColumnRow &column : *present)
            ids.push_back(column.id);
        if (!std::is_permutation(ids.begin(), ids.end(), order.begin(), order.end()))
            return fail(ErrorCode::InvalidArgument, "the order does not name each column of the session once",
                        m_connection.path());
        for (std::size_t i = 0; i < order.size(); ++i)
            m_connection.execute("UPDATE session_columns SET position = ?2 WHERE id = ?1", order[i],
                                 static_cast<std::int64_t>(i));
        return {};
    });
}

} // namespace lens
