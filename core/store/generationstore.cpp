#include "store/generationstore.h"

#include "store/codec.h"
#include "store/connection.h"
#include "store/jsonforms.h"
#include "store/probestore.h"
#include "store/rows.h"

namespace lens {

namespace {

/// The session of a turn and a column, which must be the same one.
Result<RowId> commonSession(Connection &connection, RowId turn, RowId column)
{
    SQLite::Statement row = connection.prepare("SELECT t.session FROM turns t JOIN session_columns c "
                                               "ON c.session = t.session WHERE t.id = ?1 AND c.id = ?2",
                                               turn, column);
    if (!row.executeStep())
        return fail(ErrorCode::NotFound,
                    "there is no session with turn " + std::to_string(turn) + " and column " + std::to_string(column),
                    connection.path());
    return row.getColumn(0).getInt64();
}

void touchSessionOf(Connection &connection, RowId generation)
{
    connection.execute("UPDATE sessions SET modified = ?2 WHERE id = (SELECT t.session FROM turns t "
                       "JOIN generations g ON g.turn = t.id WHERE g.id = ?1)",
                       generation, currentTime());
}

/// How many tokens a generation has; it must be running.
Result<std::int64_t> storedTokens(Connection &connection, RowId generation)
{
    SQLite::Statement row = connection.prepare("SELECT status, tokens FROM generations WHERE id = ?1", generation);
    if (!row.executeStep())
        return noSuch(connection, "generation", generation);
    if (row.getColumn(0).getString() != name(GenerationStatus::Running))
        return fail(ErrorCode::InvalidArgument, "generation " + std::to_string(generation) + " has ended",
                    connection.path());
    return row.getColumn(1).getInt64();
}

Result<void> insertTokens(Connection &connection, RowId generation, std::span<const StoredToken> tokens)
{
    const auto first = storedTokens(connection, generation);
    if (!first)
        return propagate(first);
    if (tokens.empty())
        return {};
    const auto data = encodeTokens(tokens);
    if (!data)
        return propagate(data);
    const auto count = static_cast<std::int64_t>(tokens.size());
    std::string text;
    for (const StoredToken &token : tokens)
        text += token.text;
    connection.execute("INSERT INTO token_batches (generation, first, count, data) VALUES (?1, ?2, ?3, ?4)", generation,
                       *first, count, *data);
    connection.execute("UPDATE generations SET tokens = tokens + ?2, text = text || ?3, state_bytes = ?4, stored = ?5 "
                       "WHERE id = ?1",
                       generation, count, text, static_cast<std::int64_t>(tokens.back().stateBytes), currentTime());
    return {};
}

void setOutcome(Connection &connection, RowId generation, const GenerationOutcome &outcome)
{
    connection.execute("UPDATE generations SET status = ?2, stop_reason = ?3, error = ?4, text = coalesce(?5, text), "
                       "prefill_seconds = ?6, decode_seconds = ?7, first_token_seconds = ?8, reused_tokens = ?9, "
                       "state_bytes = ?10, stored = ?11 WHERE id = ?1",
                       generation, name(outcome.status), outcome.stopReason, outcome.error, outcome.text,
                       outcome.prefillSeconds, outcome.decodeSeconds, outcome.firstTokenSeconds, outcome.reusedTokens,
                       static_cast<std::int64_t>(outcome.stateBytes), currentTime());
    SQLite::Statement text = connection.prepare("SELECT text FROM generations WHERE id = ?1", generation);
    text.executeStep();
    indexText(connection, SearchKind::Answer, generation, text.getColumn(0).getString());
}

Result<StoredComparison> readComparison(SQLite::Statement &row)
{
    auto comparison = decodeComparison(bytesOf(row.getColumn(3)));
    if (!comparison)
        return comparison;
    comparison->first = row.getColumn(0).getInt64();
    comparison->second = row.getColumn(1).getInt64();
    comparison->created = row.getColumn(2).getInt64();
    return comparison;
}

} // namespace

GenerationStore::GenerationStore(Connection &connection) : m_connection(connection)
{
}

Result<RowId> GenerationStore::begin(const GenerationStart &start)
{
    return m_connection.write([&]() -> Result<RowId> {
        const auto session = commonSession(m_connection, start.turn, start.column);
        if (!session)
            return propagate(session);
        const auto ids = encodeIds(start.promptIds);
        if (!ids)
            return propagate(ids);
        m_connection.execute(
            "INSERT INTO generations (turn, column_id, model, fingerprint, device, dtype, build, options, "
            "started, stored, status, prompt_tokens) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
            start.turn, start.column, start.model, start.modelFingerprint, start.device, start.dtype, start.build,
            dumpJson(toJson(start.options)), currentTime(), name(GenerationStatus::Running),
            static_cast<std::int64_t>(start.promptIds.size()));
        const RowId generation = m_connection.lastId();
        m_connection.execute("INSERT INTO generation_prompts (generation, data) VALUES (?1, ?2)", generation, *ids);
        m_connection.execute("INSERT INTO answers (turn, column_id, generation) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT (turn, column_id) DO UPDATE SET generation = excluded.generation",
                             start.turn, start.column, generation);
        touchSession(m_connection, *session);
        return generation;
    });
}

Result<void> GenerationStore::resume(RowId generation)
{
    return m_connection.write([&]() -> Result<void> {
        const int changed =
            m_connection.execute("UPDATE generations SET status = 'running', stop_reason = '', error = '' "
                                 "WHERE id = ?1 AND status <> 'running'",
                                 generation);
        if (changed == 0) {
            const auto present = storedTokens(m_connection, generation);
            return present ? fail(ErrorCode::InvalidArgument,
                                  "generation " + std::to_string(generation) + " is running", m_connection.path())
                           : propagate(present);
        }
        touchSessionOf(m_connection, generation);
        return {};
    });
}

Result<void> GenerationStore::append(RowId generation, std::span<const StoredToken> tokens,
                                     std::span<const ProbeChunk> probes)
{
    return m_connection.write([&]() -> Result<void> {
        if (const auto stored = insertTokens(m_connection, generation, tokens); !stored)
            return stored;
        ProbeStore store(m_connection);
        for (const ProbeChunk &chunk : probes) {
            if (const auto stored = store.append(generation, chunk); !stored)
                return stored;
        }
        return {};
    });
}

Result<void> GenerationStore::finish(RowId generation, const GenerationOutcome &outcome,
                                     std::span<const StoredToken> tokens, std::span<const ProbeChunk> probes)
{
    if (outcome.status == GenerationStatus::Running)
        return fail(ErrorCode::InvalidArgument, "a generation cannot end as running", m_connection.path());
    return m_connection.write([&]() -> Result<void> {
        if (const auto stored = append(generation, tokens, probes); !stored)
            return stored;
        setOutcome(m_connection, generation, outcome);
        touchSessionOf(m_connection, generation);
        return {};
    });
}

Result<GenerationRow> GenerationStore::get(RowId generation)
{
    return m_connection.read([&]() -> Result<GenerationRow> {
        const std::string sql = std::string("SELECT ") + generationColumns + " FROM generations g WHERE g.id = ?1";
        SQLite::Statement row = m_connection.prepare(sql.c_str(), generation);
        if (!row.executeStep())
            return noSuch(m_connection, "generation", generation);
        return readGeneration(row);
    });
}

Result<std::vector<StoredToken>> GenerationStore::tokens(RowId generation)
{
    return m_connection.read([&]() -> Result<std::vector<StoredToken>> {
        SQLite::Statement batches = m_connection.prepare(
            "SELECT first, count, data FROM token_batches WHERE generation = ?1 ORDER BY first", generation);
        std::vector<StoredToken> tokens;
        while (batches.executeStep()) {
            auto batch = decodeTokens(bytesOf(batches.getColumn(2)));
            if (!batch)
                return propagate(batch);
            if (batches.getColumn(0).getInt64() != static_cast<std::int64_t>(tokens.size()) ||
                batches.getColumn(1).getInt64() != static_cast<std::int64_t>(batch->size()))
                return fail(ErrorCode::Malformed, "tokens of generation " + std::to_string(generation) + " are missing",
                            m_connection.path(), "run the workspace's check");
            tokens.insert(tokens.end(), std::make_move_iterator(batch->begin()), std::make_move_iterator(batch->end()));
        }
        return tokens;
    });
}

Result<std::vector<std::int32_t>> GenerationStore::promptIds(RowId generation)
{
    return m_connection.read([&]() -> Result<std::vector<std::int32_t>> {
        SQLite::Statement row =
            m_connection.prepare("SELECT data FROM generation_prompts WHERE generation = ?1", generation);
        if (!row.executeStep())
            return noSuch(m_connection, "generation", generation);
        return decodeIds(bytesOf(row.getColumn(0)));
    });
}

Result<void> GenerationStore::saveComparison(const StoredComparison &comparison)
{
    return m_connection.write([&]() -> Result<void> {
        const auto data = encodeComparison(comparison);
        if (!data)
            return propagate(data);
        m_connection.execute("INSERT OR REPLACE INTO comparisons (first_generation, second_generation, created, data) "
                             "VALUES (?1, ?2, ?3, ?4)",
                             comparison.first, comparison.second, currentTime(), *data);
        return {};
    });
}

Result<std::optional<StoredComparison>> GenerationStore::comparison(RowId first, RowId second)
{
    return m_connection.read([&]() -> Result<std::optional<StoredComparison>> {
        SQLite::Statement row =
            m_connection.prepare("SELECT first_generation, second_generation, created, data "
                                 "FROM comparisons WHERE first_generation = ?1 AND second_generation = ?2",
                                 first, second);
        if (!row.executeStep())
            return std::optional<StoredComparison>();
        auto comparison = readComparison(row);
        if (!comparison)
            return propagate(comparison);
        return std::optional(std::move(*comparison));
    });
}

Result<std::vector<StoredComparison>> GenerationStore::comparisons(RowId first)
{
    return m_connection.read([&]() -> Result<std::vector<StoredComparison>> {
        SQLite::Statement rows = m_connection.prepare("SELECT first_generation, second_generation, created, data "
                                                      "FROM comparisons WHERE first_generation = ?1 ORDER BY 2",
                                                      first);
        std::vector<StoredComparison> comparisons;
        while (rows.executeStep()) {
            auto comparison = readComparison(rows);
            if (!comparison)
                return propagate(comparison);
            comparisons.push_back(std::move(*comparison));
        }
        return comparisons;
    });
}

} // namespace lens
