// The part of SessionStore that deals with turns.
#include "store/connection.h"
#include "store/rows.h"
#include "store/sessionstore.h"

#include <algorithm>

namespace lens {

namespace {

Result<void> checkTurn(Connection &connection, const TurnRow &turn)
{
    const auto holds = [&](const char *sql, RowId id, RowId second) {
        SQLite::Statement row = connection.prepare(sql, id, second);
        return row.executeStep();
    };
    if (!holds("SELECT 1 FROM sessions WHERE id = ?1 AND ?2 = 0", turn.session, 0))
        return noSuch(connection, "session", turn.session);
    if (turn.parent != 0 && !holds("SELECT 1 FROM turns WHERE id = ?1 AND session = ?2", turn.parent, turn.session))
        return fail(ErrorCode::InvalidArgument, "turn " + std::to_string(turn.parent) + " is not of this session",
                    connection.path());
    constexpr const char *ownColumn = "SELECT 1 FROM session_columns WHERE id = ?1 AND session = ?2";
    for (const PromptOverride &override : turn.overrides) {
        if (!holds(ownColumn, override.column, turn.session))
            return fail(ErrorCode::InvalidArgument,
                        "column " + std::to_string(override.column) + " is not of this session", connection.path());
    }
    for (const Answer &answer : turn.answers) {
        if (!holds(ownColumn, answer.column, turn.session) ||
            !holds("SELECT 1 FROM generations WHERE id = ?1 AND column_id = ?2", answer.generation, answer.column))
            return fail(ErrorCode::InvalidArgument,
                        "generation " + std::to_string(answer.generation) + " is not an answer of that column",
                        connection.path());
    }
    return {};
}

std::string searchableText(const TurnRow &turn)
{
    std::string text = turn.prompt;
    for (const PromptOverride &override : turn.overrides)
        text += "\n" + override.prompt;
    return text;
}

} // namespace

Result<RowId> SessionStore::addTurn(const TurnRow &turn)
{
    return m_connection.write([&]() -> Result<RowId> {
        if (const auto good = checkTurn(m_connection, turn); !good)
            return propagate(good);
        m_connection.execute("INSERT INTO turns (session, parent, prompt, created) VALUES (?1, ?2, ?3, ?4)",
                             turn.session, orNull(turn.parent), turn.prompt, currentTime());
        const RowId id = m_connection.lastId();
        for (const PromptOverride &override : turn.overrides)
            m_connection.execute("INSERT INTO prompt_overrides (turn, column_id, prompt) VALUES (?1, ?2, ?3)", id,
                                 override.column, override.prompt);
        for (const Answer &answer : turn.answers)
            m_connection.execute("INSERT INTO answers (turn, column_id, generation) VALUES (?1, ?2, ?3)", id,
                                 answer.column, answer.generation);
        indexText(m_connection, SearchKind::Prompt, id, searchableText(turn));
        m_connection.execute("UPDATE sessions SET current_turn = ?2 WHERE id = ?1", turn.session, id);
        touchSession(m_connection, turn.session);
        return id;
    });
}

Result<TurnRow> SessionStore::turn(RowId id)
{
    return m_connection.read([&]() -> Result<TurnRow> {
        SQLite::Statement row =
            m_connection.prepare("SELECT session, parent, prompt, created FROM turns WHERE id = ?1", id);
        if (!row.executeStep())
            return noSuch(m_connection, "turn", id);
        TurnRow turn;
        turn.id = id;
        turn.session = row.getColumn(0).getInt64();
        turn.parent = row.getColumn(1).getInt64();
        turn.prompt = row.getColumn(2).getString();
        turn.created = row.getColumn(3).getInt64();
        SQLite::Statement overrides = m_connection.prepare(
            "SELECT column_id, prompt FROM prompt_overrides WHERE turn = ?1 ORDER BY column_id", id);
        while (overrides.executeStep())
            turn.overrides.push_back({overrides.getColumn(0).getInt64(), overrides.getColumn(1).getString()});
        SQLite::Statement answers =
            m_connection.prepare("SELECT column_id, generation FROM answers WHERE turn = ?1 ORDER BY column_id", id);
        while (answers.executeStep())
            turn.answers.push_back({answers.getColumn(0).getInt64(), answers.getColumn(1).getInt64()});
        return turn;
    });
}

Result<std::vector<TurnRow>> SessionStore::branch(RowId leaf)
{
    return m_connection.read([&]() -> Result<std::vector<TurnRow>> {
        std::vector<TurnRow> turns;
        for (RowId next = leaf; next != 0;) {
            auto read = turn(next);
            if (!read)
                return propagate(read);
            // Parents are older than their children; in a damaged file they might go round in circles.
            if (read->parent >= next)
                return fail(ErrorCode::Malformed, "turn " + std::to_string(next) + " comes before its parent",
                            m_connection.path(), "run the workspace's check");
            next = read->parent;
            turns.push_back(std::move(*read));
        }
        std::reverse(turns.begin(), turns.end());
        return turns;
    });
}

Result<std::vector<TurnRow>> SessionStore::children(RowId session, RowId parent)
{
    return m_connection.read([&]() -> Result<std::vector<TurnRow>> {
        SQLite::Statement rows = m_connection.prepare(
            "SELECT id FROM turns WHERE session = ?1 AND parent IS ?2 ORDER BY id", session, orNull(parent));
        std::vector<TurnRow> turns;
        while (rows.executeStep()) {
            auto read = turn(rows.getColumn(0).getInt64());
            if (!read)
                return propagate(read);
            turns.push_back(std::move(*read));
        }
        return turns;
    });
}

Result<void> SessionStore::setCurrentTurn(RowId session, RowId turn)
{
    return m_connection.write([&]() -> Result<void> {
        const int changed = m_connection.execute("UPDATE sessions SET current_turn = ?2 WHERE id = ?1 AND EXISTS "
                                                 "(SELECT 1 FROM turns WHERE id = ?2 AND session = ?1)",
                                                 session, turn);
        if (changed == 0)
            return fail(ErrorCode::InvalidArgument, "turn " + std::to_string(turn) + " is not of this session",
                        m_connection.path());
        return {};
    });
}

} // namespace lens
