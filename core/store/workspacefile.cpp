#include "store/workspacefile.h"

#include "base/hash.h"
#include "store/codec.h"
#include "store/migrations.h"

#include <SQLiteCpp/Backup.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sqlite3.h>
#include <unistd.h>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr const char *draftSuffix = ".creating";

void removeQuietly(const std::string &path)
{
    for (const char *suffix : {"", "-journal"}) {
        std::error_code ignored;
        fs::remove(path + suffix, ignored);
    }
}

void syncFolder(const std::string &path)
{
    const fs::path folder = fs::path(path).parent_path();
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    ::fsync(descriptor);
    ::close(descriptor);
}

/// Gives the finished file its name. A hard link, unlike a renaming, does not replace what is there; file systems
/// without links get the renaming after a look.
Result<void> publish(const std::string &draft, const std::string &path)
{
    if (::link(draft.c_str(), path.c_str()) == 0) {
        removeQuietly(draft);
        syncFolder(path);
        return {};
    }
    const int reason = errno;
    if (reason == EEXIST || fs::exists(path))
        return fail(ErrorCode::InvalidArgument, "there is a file of this name already", path, "choose another name");
    if (std::rename(draft.c_str(), path.c_str()) != 0)
        return fail(ErrorCode::Io, std::string("the file cannot be named: ") + std::strerror(reason), path,
                    "check that you may write to its folder");
    syncFolder(path);
    return {};
}

/// Writes a file under a passing name with `fill` and publishes it; leaves nothing behind when that fails.
Result<void> writeNew(const std::string &path, const std::function<Result<void>(Connection &)> &fill)
{
    const std::string draft = path + draftSuffix;
    removeQuietly(draft);
    const auto filled = [&]() -> Result<void> {
        const auto connection = Connection::open(draft, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        return connection ? fill(**connection) : propagate(connection);
    }();
    const auto done = filled ? publish(draft, path) : filled;
    if (!done)
        removeQuietly(draft);
    return done;
}

using Faults = std::vector<std::string>;

void checkReferences(Connection &connection, Faults &faults)
{
    SQLite::Statement rows = connection.prepare("PRAGMA foreign_key_check");
    while (rows.executeStep())
        faults.push_back("a row of " + rows.getColumn(0).getString() + " refers to one of " +
                         rows.getColumn(2).getString() + " that is missing");
}

template <class Decode>
void checkBlobs(Connection &connection, const char *sql, const char *what, Faults &faults, Decode &&decode)
{
    SQLite::Statement rows = connection.prepare(sql);
    while (rows.executeStep()) {
        if (const auto decoded = decode(bytesOf(rows.getColumn(1))); !decoded)
            faults.push_back(std::string(what) + " " + rows.getColumn(0).getString() + ": " +
                             decoded.error().what);
    }
}

void checkContent(Connection &connection, Faults &faults)
{
    checkBlobs(connection, "SELECT generation, data FROM token_batches", "tokens of generation", faults, decodeTokens);
    checkBlobs(connection, "SELECT generation, data FROM generation_prompts", "prompt ids of generation", faults, decodeIds);
    checkBlobs(connection, "SELECT generation, data FROM probe_chunks", "a measurement of generation", faults, decodeFloats);
    checkBlobs(connection, "SELECT first_generation, data FROM comparisons", "a comparison of generation", faults,
               decodeComparison);
    checkBlobs(connection, "SELECT run, data FROM training_layers", "measurements of layers in training run", faults,
               decodeFloats);
    SQLite::Statement blobs = connection.prepare("SELECT hash, data FROM blobs");
    while (blobs.executeStep()) {
        Hasher hasher;
        hasher.add(bytesOf(blobs.getColumn(1)));
        if (hasher.digest() != blobs.getColumn(0).getString())
            faults.push_back("blob " + blobs.getColumn(0).getString() + " is damaged");
    }
    SQLite::Statement rows =
        connection.prepare("SELECT id FROM generations g WHERE tokens <> (SELECT "
                           "coalesce(sum(count), 0) FROM token_batches b WHERE b.generation = g.id)");
    while (rows.executeStep())
        faults.push_back("generation " + rows.getColumn(0).getString() + " does not have the tokens it should");
}

Faults pageFaults(Connection &connection, const char *pragma)
{
    Faults faults;
    SQLite::Statement rows = connection.prepare(pragma);
    while (rows.executeStep()) {
        if (std::string line = rows.getColumn(0).getString(); line != "ok")
            faults.push_back(std::move(line));
    }
    return faults;
}

} // namespace

Result<void> createWorkspaceFile(const std::string &path)
{
    return writeNew(path, [](Connection &connection) { return migrate(connection, migrations()); });
}

void removeDraft(const std::string &path)
{
    removeQuietly(path + draftSuffix);
}

Result<void> copyWorkspaceFile(Connection &source, const std::string &path)
{
    std::error_code ignored;
    if (fs::exists(path, ignored))
        return fail(ErrorCode::InvalidArgument, "there is a file of this name already", path, "choose another name");
    return writeNew(path, [&](Connection &target) -> Result<void> {
        try {
            SQLite::Backup backup(target.database(), source.database());
            backup.executeStep();
            return {};
        } catch (...) {
            return tl::unexpected<Error>(target.currentError());
        }
    });
}

Result<void> quickCheck(Connection &connection)
{
    return connection.read([&]() -> Result<void> {
        const Faults faults = pageFaults(connection, "PRAGMA quick_check(1)");
        if (!faults.empty())
            return fail(ErrorCode::Malformed, "the file is damaged: " + faults.front(), connection.path(),
                        "open a backup, or rescue what can be read with: sqlite3 FILE .recover");
        return {};
    });
}

Result<std::vector<std::string>> fullCheck(Connection &connection)
{
    auto faults = connection.read([&]() -> Result<Faults> {
        Faults found = pageFaults(connection, "PRAGMA integrity_check");
        checkReferences(connection, found);
        checkContent(connection, found);
        return found;
    });
    // FTS5 examines itself by an INSERT, which a read-only connection cannot do.
    if (faults && !connection.isReadOnly()) {
        const auto searchable = connection.write([&]() -> Result<void> {
            connection.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')");
            return {};
        });
        if (!searchable)
            faults->push_back("the search index is damaged");
    }
    return faults;
}

} // namespace lens
