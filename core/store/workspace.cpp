#include "store/workspace.h"

#include "store/connection.h"
#include "store/filecheck.h"
#include "store/lockfile.h"
#include "store/migrations.h"
#include "store/rows.h"
#include "store/workspacefile.h"

#include <filesystem>
#include <sqlite3.h>

namespace lens {

namespace {

namespace fs = std::filesystem;

/// Beyond this, the quick examination at opening would take longer than a person waits.
constexpr std::uintmax_t quickCheckBytes = std::uintmax_t(256) << 20;

/// Two names of one file share its lock.
std::string realPath(const std::string &path)
{
    std::error_code error;
    const fs::path real = fs::weakly_canonical(path, error);
    return error ? path : real.string();
}

Result<void> limitSize(Connection &connection, std::uint64_t maxBytes)
{
    return connection.read([&]() -> Result<void> {
        SQLite::Statement row = connection.prepare("PRAGMA page_size");
        row.executeStep();
        const std::uint64_t pages = maxBytes / static_cast<std::uint64_t>(row.getColumn(0).getInt64());
        row.reset();
        connection.prepare(("PRAGMA max_page_count = " + std::to_string(std::max<std::uint64_t>(pages, 1))).c_str())
            .executeStep();
        return {};
    });
}

/// Pages and schema of an open file; what its schema lacks is added if it can be written.
Result<void> prepare(Connection &connection)
{
    const auto version = schemaVersion(connection);
    if (!version)
        return propagate(version);
    std::error_code ignored;
    if (fs::file_size(connection.path(), ignored) <= quickCheckBytes) {
        if (const auto sound = quickCheck(connection); !sound)
            return sound;
    }
    if (connection.isReadOnly() && *version < migrations().back().version)
        return fail(ErrorCode::Unsupported, "the workspace has the format of an older release", connection.path(),
                    "open it for writing once, which converts it");
    return migrate(connection, migrations());
}

/// A process that was killed left these; returns how many.
Result<std::int64_t> interruptRunning(Connection &connection)
{
    return connection.write([&]() -> Result<std::int64_t> {
        std::vector<std::pair<RowId, std::string>> running;
        SQLite::Statement rows = connection.prepare("SELECT id, text FROM generations WHERE status = 'running'");
        while (rows.executeStep())
            running.emplace_back(rows.getColumn(0).getInt64(), rows.getColumn(1).getString());
        for (const auto &[generation, text] : running) {
            connection.execute("UPDATE generations SET status = ?2 WHERE id = ?1", generation,
                               name(GenerationStatus::Interrupted));
            indexText(connection, SearchKind::Answer, generation, text);
        }
        connection.execute("UPDATE training_runs SET status = ?1 WHERE status = 'running'",
                           name(TrainingStatus::Interrupted));
        return static_cast<std::int64_t>(running.size());
    });
}

Result<std::unique_ptr<Connection>> openForWriting(const std::string &path, const WorkspaceOptions &options)
{
    const auto present = examineFile(path);
    if (!present)
        return propagate(present);
    if (!*present) {
        if (!options.create)
            return fail(ErrorCode::NotFound, "there is no such file", path, "check the path");
        if (const auto created = createWorkspaceFile(path); !created)
            return propagate(created);
    } else {
        removeDraft(path);
    }
    auto connection = Connection::open(path, SQLITE_OPEN_READWRITE);
    if (!connection)
        return connection;
    if (sqlite3_db_readonly((*connection)->database().getHandle(), "main") == 1)
        return fail(ErrorCode::Io, "the file cannot be written", path,
                    "check its permissions, or open it for reading only");
    if (const auto ready = prepare(**connection); !ready)
        return propagate(ready);
    if (options.maxBytes != 0) {
        if (const auto limited = limitSize(**connection, options.maxBytes); !limited)
            return propagate(limited);
    }
    return connection;
}

Result<std::unique_ptr<Connection>> openForReading(const std::string &path)
{
    const auto present = examineFile(path);
    if (!present)
        return propagate(present);
    if (!*present)
        return fail(ErrorCode::NotFound, "there is no such file", path, "check the path");
    auto connection = Connection::open(path, SQLITE_OPEN_READONLY);
    if (!connection)
        return connection;
    if (const auto ready = prepare(**connection); !ready)
        return propagate(ready);
    return connection;
}

} // namespace

struct Workspace::Impl {
    Impl(std::unique_ptr<LockFile> heldLock, std::unique_ptr<Connection> openConnection)
        : lock(std::move(heldLock)), connection(std::move(openConnection)), models(*connection), sessions(*connection),
          generations(*connection), probes(*connection), search(*connection), settings(*connection),
          training(*connection)
    {
    }

    std::unique_ptr<LockFile> lock; // declared before the connection: released after it is closed
    std::unique_ptr<Connection> connection;
    ModelStore models;
    SessionStore sessions;
    GenerationStore generations;
    ProbeStore probes;
    SearchStore search;
    SettingsStore settings;
    TrainingStore training;
    std::int64_t interrupted = 0;
};

Workspace::Workspace(std::unique_ptr<Impl> impl) : m_impl(std::move(impl))
{
}

Workspace::~Workspace() = default;

Result<std::unique_ptr<Workspace>> Workspace::open(const std::string &path, const WorkspaceOptions &options)
{
    const std::string file = realPath(path);
    if (options.readOnly) {
        auto connection = openForReading(file);
        if (!connection)
            return propagate(connection);
        return std::unique_ptr<Workspace>(new Workspace(std::make_unique<Impl>(nullptr, std::move(*connection))));
    }
    // Looked at first without the lock, so that no lock file appears beside what is not a workspace.
    const auto present = examineFile(file);
    if (!present)
        return propagate(present);
    if (!*present && !options.create)
        return fail(ErrorCode::NotFound, "there is no such file", file, "check the path");
    auto lock = LockFile::acquire(file + ".lock");
    if (!lock)
        return propagate(lock);
    auto connection = openForWriting(file, options);
    if (!connection)
        return propagate(connection);
    const auto interrupted = interruptRunning(**connection);
    if (!interrupted)
        return propagate(interrupted);
    auto impl = std::make_unique<Impl>(std::move(*lock), std::move(*connection));
    impl->interrupted = *interrupted;
    return std::unique_ptr<Workspace>(new Workspace(std::move(impl)));
}

Connection &Workspace::connection()
{
    return *m_impl->connection;
}

const std::string &Workspace::path() const
{
    return m_impl->connection->path();
}

bool Workspace::isReadOnly() const
{
    return m_impl->connection->isReadOnly();
}

std::int64_t Workspace::schemaVersion() const
{
    return currentSchemaVersion();
}

std::int64_t Workspace::interruptedGenerations() const
{
    return m_impl->interrupted;
}

ModelStore &Workspace::models()
{
    return m_impl->models;
}

SessionStore &Workspace::sessions()
{
    return m_impl->sessions;
}

GenerationStore &Workspace::generations()
{
    return m_impl->generations;
}

ProbeStore &Workspace::probes()
{
    return m_impl->probes;
}

SearchStore &Workspace::search()
{
    return m_impl->search;
}

SettingsStore &Workspace::settings()
{
    return m_impl->settings;
}

TrainingStore &Workspace::training()
{
    return m_impl->training;
}

Result<std::vector<std::string>> Workspace::check()
{
    return fullCheck(*m_impl->connection);
}

Result<void> Workspace::backupTo(const std::string &path)
{
    return copyWorkspaceFile(*m_impl->connection, path);
}

std::int64_t currentSchemaVersion()
{
    return migrations().back().version;
}

} // namespace lens
