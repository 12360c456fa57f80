#include "store/rows.h"

#include "store/jsonforms.h"

#include <array>

namespace lens {

namespace {

constexpr std::array allStatuses{GenerationStatus::Running, GenerationStatus::Complete, GenerationStatus::Cancelled,
                                 GenerationStatus::Failed, GenerationStatus::Interrupted};

Result<GenerationOptions> readOptions(const SQLite::Column &column)
{
    const auto json = parseJson(column.getString());
    return json ? optionsFromJson(*json) : propagate(json);
}

} // namespace

const char *name(GenerationStatus status)
{
    switch (status) {
    case GenerationStatus::Running: return "running";
    case GenerationStatus::Complete: return "complete";
    case GenerationStatus::Cancelled: return "cancelled";
    case GenerationStatus::Failed: return "failed";
    case GenerationStatus::Interrupted: return "interrupted";
    }
    return "unknown";
}

const char *name(SearchKind kind)
{
    switch (kind) {
    case SearchKind::Title: return "title";
    case SearchKind::Prompt: return "prompt";
    case SearchKind::Answer: return "answer";
    }
    return "unknown";
}

Result<GenerationStatus> statusFromName(const std::string &text)
{
    for (const GenerationStatus status : allStatuses) {
        if (text == name(status))
            return status;
    }
    return fail(ErrorCode::Malformed, "'" + text + "' is no status of a generation");
}

const char *const generationColumns =
    "g.id, g.turn, g.column_id, g.model, g.fingerprint, g.device, g.dtype, g.build, g.options, g.started, g.stored, "
    "g.status, g.stop_reason, g.error, g.text, g.prompt_tokens, g.tokens, g.prefill_seconds, g.decode_seconds, "
    "g.first_token_seconds, g.reused_tokens, g.state_bytes";

Result<GenerationRow> readGeneration(SQLite::Statement &statement)
{
    int at = 0;
    const auto next = [&] { return statement.getColumn(at++); };
    GenerationRow row;
    row.id = next().getInt64();
    row.turn = next().getInt64();
    row.column = next().getInt64();
    row.model = next().getInt64();
    row.modelFingerprint = next().getString();
    row.device = next().getString();
    row.dtype = next().getString();
    row.build = next().getString();
    const auto options = readOptions(next());
    if (!options)
        return propagate(options);
    row.options = *options;
    row.started = next().getInt64();
    row.finished = next().getInt64();
    const auto status = statusFromName(next().getString());
    if (!status)
        return propagate(status);
    row.status = *status;
    if (row.status == GenerationStatus::Running)
        row.finished = 0;
    row.stopReason = next().getString();
    row.error = next().getString();
    row.text = next().getString();
    row.promptTokens = next().getInt64();
    row.tokens = next().getInt64();
    row.prefillSeconds = next().getDouble();
    row.decodeSeconds = next().getDouble();
    row.firstTokenSeconds = next().getDouble();
    row.reusedTokens = next().getInt64();
    row.stateBytes = static_cast<std::uint64_t>(next().getInt64());
    return row;
}

const char *const sessionColumns =
    "s.id, s.title, s.system_prompt, s.current_turn, s.created, s.modified, s.archived, s.deleted";

SessionRow readSession(SQLite::Statement &statement)
{
    SessionRow row;
    row.id = statement.getColumn(0).getInt64();
    row.title = statement.getColumn(1).getString();
    row.systemPrompt = statement.getColumn(2).getString();
    row.currentTurn = statement.getColumn(3).getInt64();
    row.created = statement.getColumn(4).getInt64();
    row.modified = statement.getColumn(5).getInt64();
    row.archived = statement.getColumn(6).getInt() != 0;
    row.deleted = statement.getColumn(7).getInt64();
    return row;
}

const char *const columnColumns =
    "c.id, c.session, c.position, c.model, c.device, c.dtype, c.system_prompt, c.options, c.removed";

Result<ColumnRow> readColumn(SQLite::Statement &statement)
{
    ColumnRow row;
    row.id = statement.getColumn(0).getInt64();
    row.session = statement.getColumn(1).getInt64();
    row.position = statement.getColumn(2).getInt64();
    row.model = statement.getColumn(3).getInt64();
    row.device = statement.getColumn(4).getString();
    row.dtype = statement.getColumn(5).getString();
    if (const SQLite::Column prompt = statement.getColumn(6); !prompt.isNull())
        row.systemPrompt = prompt.getString();
    const auto options = readOptions(statement.getColumn(7));
    if (!options)
        return propagate(options);
    row.options = *options;
    row.removed = statement.getColumn(8).getInt() != 0;
    return row;
}

void touchSession(Connection &connection, RowId session)
{
    connection.execute("UPDATE sessions SET modified = ?2 WHERE id = ?1", session, currentTime());
}

// The index's row ids are four times those of the rows, plus the kind.
void indexText(Connection &connection, SearchKind kind, RowId row, const std::string &text)
{
    const RowId id = row * 4 + static_cast<int>(kind);
    connection.execute("DELETE FROM search_index WHERE rowid = ?1", id);
    if (!text.empty())
        connection.execute("INSERT INTO search_index (rowid, text) VALUES (?1, ?2)", id, text);
}

void unindexSession(Connection &connection, RowId session)
{
    connection.execute("DELETE FROM search_index WHERE rowid = ?1 * 4", session);
    connection.execute("DELETE FROM search_index WHERE rowid IN (SELECT id * 4 + 1 FROM turns WHERE session = ?1)",
                       session);
    connection.execute("DELETE FROM search_index WHERE rowid IN (SELECT g.id * 4 + 2 FROM generations g "
                       "JOIN turns t ON g.turn = t.id WHERE t.session = ?1)",
                       session);
}

} // namespace lens
