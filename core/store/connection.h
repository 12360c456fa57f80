// The one SQLite connection of a workspace, and the border at which SQLite's exceptions become Errors. Internal to
// core/store: includes SQLiteCpp.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace lens {

using Bytes = std::vector<std::byte>;

Milliseconds currentTime();

class Connection {
public:
    /// Opens an existing or new file with the safety settings of docs/formats.md; looks at nothing in it.
    static Result<std::unique_ptr<Connection>> open(const std::string &path, int flags);

    const std::string &path() const { return m_path; }
    bool isReadOnly() const { return m_readOnly; }
    SQLite::Database &database() { return m_database; }

    /// Throws SQLite::Exception, as `execute` does: for use inside `read` and `write`. Parameters are ?1, ?2, ...
    template <class... Args>
    SQLite::Statement prepare(const char *sql, const Args &...args)
    {
        SQLite::Statement statement(m_database, sql);
        int index = 0;
        (bindValue(statement, ++index, args), ...);
        return statement;
    }

    /// Returns the number of rows changed.
    template <class... Args>
    int execute(const char *sql, const Args &...args)
    {
        return prepare(sql, args...).exec();
    }

    RowId lastId() const { return m_database.getLastInsertRowid(); }

    /// Runs `body`, which returns a Result and sees one state of the file throughout.
    template <class Body>
    std::invoke_result_t<Body> read(Body &&body)
    {
        return run("BEGIN", "ROLLBACK", std::forward<Body>(body));
    }

    /// Runs `body`, which returns a Result: all it changed is committed, or nothing if it fails. May be nested; then
    /// the outermost one commits.
    template <class Body>
    std::invoke_result_t<Body> write(Body &&body)
    {
        if (m_readOnly)
            return fail(ErrorCode::Io, "the workspace is open for reading only", m_path,
                        "close the other program that has it open, or check the file's permissions");
        return run("BEGIN IMMEDIATE", "COMMIT", std::forward<Body>(body));
    }

    /// The error a caught exception stands for; to be called in a catch block.
    Error currentError() const;

private:
    Connection(const std::string &path, int flags);

    /// Ends the transaction or savepoint that was begun, unless it was ended well.
    class Scope {
    public:
        Scope(Connection &connection, const char *begin);
        ~Scope();
        void end(const char *command);

    private:
        Connection &m_connection;
        bool m_nested;
        bool m_open = true;
    };

    template <class Body>
    std::invoke_result_t<Body> run(const char *begin, const char *end, Body &&body)
    {
        try {
            Scope scope(*this, begin);
            std::invoke_result_t<Body> result = body();
            if (result)
                scope.end(end);
            return result;
        } catch (...) {
            return tl::unexpected<Error>(currentError());
        }
    }

    static void bindValue(SQLite::Statement &statement, int index, std::int64_t value) { statement.bind(index, value); }
    static void bindValue(SQLite::Statement &statement, int index, int value) { statement.bind(index, value); }
    static void bindValue(SQLite::Statement &statement, int index, double value) { statement.bind(index, value); }
    static void bindValue(SQLite::Statement &statement, int index, const std::string &value)
    {
        statement.bind(index, value);
    }
    static void bindValue(SQLite::Statement &statement, int index, const char *value) { statement.bind(index, value); }
    static void bindValue(SQLite::Statement &statement, int index, const Bytes &value)
    {
        // An empty vector may have no data, which SQLite would take for NULL.
        statement.bind(index, value.empty() ? "" : static_cast<const void *>(value.data()),
                       static_cast<int>(value.size()));
    }
    template <class T>
    static void bindValue(SQLite::Statement &statement, int index, const std::optional<T> &value)
    {
        if (value)
            bindValue(statement, index, *value);
        else
            statement.bind(index);
    }

    std::string m_path;
    bool m_readOnly;
    SQLite::Database m_database;
    int m_depth = 0;
};

/// Ids are NULL in the file where they are 0 in the rows.
inline std::optional<RowId> orNull(RowId id)
{
    return id == 0 ? std::nullopt : std::optional<RowId>(id);
}

/// The bytes of a blob, valid until the statement moves on.
std::span<const std::byte> bytesOf(const SQLite::Column &column);

/// "there is no session 7"
tl::unexpected<Error> noSuch(const Connection &connection, const char *what, RowId id);

} // namespace lens
