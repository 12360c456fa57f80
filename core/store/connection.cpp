#include "store/connection.h"

#include <chrono>
#include <new>
#include <sqlite3.h>

namespace lens {

namespace {

constexpr int busyTimeoutMs = 2000;

Error describe(const SQLite::Exception &exception, const std::string &path)
{
    const int code = exception.getErrorCode();
    const std::string detail = exception.what();
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return {ErrorCode::Busy, "another program has locked the file", path, "close that program and try again"};
    case SQLITE_FULL:
        return {ErrorCode::Io, "there is no room left to write", path, "free some space on that disk and try again"};
    case SQLITE_READONLY:
        return {ErrorCode::Io, "the file cannot be written: " + detail, path,
                "check the permissions of the file and its folder, or open it for reading only"};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return {ErrorCode::Io, "the file cannot be opened: " + detail, path,
                "check that the folder exists and that you may write to it"};
    case SQLITE_IOERR:
        return {ErrorCode::Io, "reading or writing failed: " + detail, path, "check the disk and its free space"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return {ErrorCode::Malformed, "the file is damaged: " + detail, path,
                "open a backup, or rescue what can be read with: sqlite3 FILE .recover"};
    case SQLITE_NOMEM:
        return {ErrorCode::OutOfMemory, "there is not enough memory", path, "close something else and try again"};
    case SQLITE_TOOBIG:
        return {ErrorCode::LimitExceeded, "a text or blob is larger than the file format allows", path, {}};
    case SQLITE_CONSTRAINT:
        if (exception.getExtendedErrorCode() == SQLITE_CONSTRAINT_FOREIGNKEY)
            return {ErrorCode::NotFound, "a row that is referred to does not exist, or is still in use", path, {}};
        return {ErrorCode::InvalidArgument, "the row is not valid: " + detail, path, {}};
    default: return {ErrorCode::Internal, detail, path, {}};
    }
}

} // namespace

Milliseconds currentTime()
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Connection::Connection(const std::string &path, int flags)
    : m_path(path), m_readOnly((flags & SQLITE_OPEN_READONLY) != 0), m_database(path, flags, busyTimeoutMs)
{
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string &path, int flags)
{
    try {
        std::unique_ptr<Connection> connection(new Connection(path, flags));
        SQLite::Database &database = connection->m_database;
        sqlite3 *handle = database.getHandle();
        sqlite3_extended_result_codes(handle, 1);
        sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
        sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
        sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
        database.exec("PRAGMA cell_size_check = ON");
        database.exec("PRAGMA mmap_size = 0");
        database.exec("PRAGMA foreign_keys = ON");
        // Extra: the removal of the journal, which is what commits, reaches the disk before the call returns.
        database.exec("PRAGMA synchronous = EXTRA");
        return connection;
    } catch (const SQLite::Exception &exception) {
        return tl::unexpected<Error>(describe(exception, path));
    }
}

Error Connection::currentError() const
{
    try {
        throw;
    } catch (const SQLite::Exception &exception) {
        return describe(exception, m_path);
    } catch (const std::bad_alloc &) {
        return {ErrorCode::OutOfMemory, "there is not enough memory", m_path, "close something else and try again"};
    } catch (const std::exception &exception) {
        return {ErrorCode::Internal, exception.what(), m_path, {}};
    }
}

Connection::Scope::Scope(Connection &connection, const char *begin)
    : m_connection(connection), m_nested(connection.m_depth > 0)
{
    connection.m_database.exec(m_nested ? "SAVEPOINT nested" : begin);
    ++connection.m_depth;
}

Connection::Scope::~Scope()
{
    --m_connection.m_depth;
    if (!m_open)
        return;
    // SQLite may have rolled back by itself (disk full); then there is nothing left to undo, which is no error.
    m_connection.m_database.tryExec(m_nested ? "ROLLBACK TO nested; RELEASE nested" : "ROLLBACK");
}

void Connection::Scope::end(const char *command)
{
    m_connection.m_database.exec(m_nested ? "RELEASE nested" : command);
    m_open = false;
}

std::span<const std::byte> bytesOf(const SQLite::Column &column)
{
    // getBlob first: asking for the size before the content may convert it.
    const void *data = column.getBlob();
    return {static_cast<const std::byte *>(data), static_cast<std::size_t>(column.getBytes())};
}

tl::unexpected<Error> noSuch(const Connection &connection, const char *what, RowId id)
{
    return fail(ErrorCode::NotFound, std::string("there is no ") + what + " " + std::to_string(id), connection.path(),
                "it may have been removed; load the list again");
}

} // namespace lens
