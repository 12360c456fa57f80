// Sessions, their columns and their turns.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <string>
#include <vector>

namespace lens {

class Connection;

class SessionStore {
public:
    explicit SessionStore(Connection &connection);

    /// A session and its columns in one step. Of each column, model, device, dtype, systemPrompt and options count;
    /// positions follow the order given.
    Result<RowId> create(const std::string &title, const std::vector<ColumnRow> &columns,
                         const std::string &systemPrompt = {});

    Result<SessionRow> get(RowId session);
    Result<SessionContent> content(RowId session);

    /// Newest change first, ties by id. Made for lists of thousands that fetch a page at a time.
    Result<std::vector<SessionSummary>> list(const SessionQuery &query);
    Result<std::int64_t> count(SessionFilter filter);

    Result<void> rename(RowId session, const std::string &title);
    Result<void> setSystemPrompt(RowId session, const std::string &systemPrompt);
    Result<void> setArchived(RowId session, bool archived);

    /// Into the bin, and out of it again (undo). Nothing is lost by it.
    Result<void> moveToBin(RowId session);
    Result<void> restore(RowId session);

    /// Removes for good what was put into the bin before `before`; returns how many sessions that were.
    Result<std::int64_t> emptyBin(Milliseconds before);

    /// Columns that are not removed, by position.
    Result<std::vector<ColumnRow>> columns(RowId session);

    /// At the right end; `column.session` says where.
    Result<RowId> addColumn(const ColumnRow &column);

    /// Model, device, dtype, system prompt and options of column.id; what was generated keeps what it was made with.
    Result<void> updateColumn(const ColumnRow &column);

    /// Closes the column; its answers are kept.
    Result<void> removeColumn(RowId column);

    /// All columns of the session that are not removed, in their new order; InvalidArgument when it is not all of them.
    Result<void> orderColumns(RowId session, const std::vector<RowId> &columns);

    /// Stores a prompt and makes it the session's current turn. To be called before the first token is asked for.
    /// Used of `turn`: session, parent (0 or a turn of that session), prompt, overrides, and answers: those of an
    /// older turn that this one shares, as when a single column is regenerated.
    Result<RowId> addTurn(const TurnRow &turn);

    Result<TurnRow> turn(RowId turn);

    /// From the first turn to `leaf`.
    Result<std::vector<TurnRow>> branch(RowId leaf);

    /// The versions of one prompt: turns under `parent` (0: the beginnings), oldest first.
    Result<std::vector<TurnRow>> children(RowId session, RowId parent);

    /// Which branch is shown.
    Result<void> setCurrentTurn(RowId session, RowId turn);

private:
    Connection &m_connection;
};

} // namespace lens
