// The schema and its history. Migration n takes a file from version n - 1 to n; the version is SQLite's user_version.
#pragma once

#include "store/connection.h"

#include <span>

namespace lens {

struct Migration {
    int version;
    const char *sql;
};

/// Consecutive from 1. A published one is never changed; what changes the schema is appended.
std::span<const Migration> migrations();

Result<int> schemaVersion(Connection &connection);

/// Applies what the file lacks, all in one transaction. NewerVersion when it is ahead of the last migration.
Result<void> migrate(Connection &connection, std::span<const Migration> steps);

} // namespace lens
