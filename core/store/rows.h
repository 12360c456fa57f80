// Rows of the file as structs. Internal to core/store. These functions throw what SQLite throws.
#pragma once

#include "store/connection.h"
#include "store/records.h"

namespace lens {

/// The columns that the readers expect, in their order.
extern const char *const generationColumns;
extern const char *const sessionColumns;
extern const char *const columnColumns;

Result<GenerationRow> readGeneration(SQLite::Statement &statement);
SessionRow readSession(SQLite::Statement &statement);
Result<ColumnRow> readColumn(SQLite::Statement &statement);

/// Malformed for a name no release has written.
Result<GenerationStatus> statusFromName(const std::string &name);

/// Notes that something in the session has changed.
void touchSession(Connection &connection, RowId session);

/// Everything a SearchStore finds is entered here; replaces what was there for that row.
void indexText(Connection &connection, SearchKind kind, RowId row, const std::string &text);
void unindexSession(Connection &connection, RowId session);

} // namespace lens
