#include "store/trainingstore.h"

#include "store/connection.h"
#include "store/trainingrows.h"

namespace lens {

namespace {

/// Nothing, when the run is there and running.
Result<void> checkRunning(Connection &connection, RowId run)
{
    SQLite::Statement row = connection.prepare("SELECT status FROM training_runs WHERE id = ?1", run);
    if (!row.executeStep())
        return noSuch(connection, "training run", run);
    if (row.getColumn(0).getString() != name(TrainingStatus::Running))
        return fail(ErrorCode::InvalidArgument, "training run " + std::to_string(run) + " has ended",
                    connection.path());
    return {};
}

/// Executes an UPDATE or DELETE that must concern one run.
template <class... Args>
Result<void> change(Connection &connection, const char *sql, RowId run, const Args &...args)
{
    return connection.write([&]() -> Result<void> {
        if (connection.execute(sql, run, args...) == 0)
            return noSuch(connection, "training run", run);
        return {};
    });
}

} // namespace

const char *name(TrainingStatus status)
{
    switch (status) {
    case TrainingStatus::Running:
        return "running";
    case TrainingStatus::Finished:
        return "finished";
    case TrainingStatus::Stopped:
        return "stopped";
    case TrainingStatus::Failed:
        return "failed";
    case TrainingStatus::Interrupted:
        return "interrupted";
    }
    return "failed";
}

TrainingStore::TrainingStore(Connection &connection) : m_connection(connection)
{
}

Result<RowId> TrainingStore::begin(const TrainingStart &start)
{
    return m_connection.write([&]() -> Result<RowId> {
        m_connection.execute("INSERT INTO training_runs (folder, name, recipe, total_steps, build, started, stored, "
                             "status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                             start.folder, start.name, start.recipe, start.totalSteps, start.build, currentTime(),
                             name(TrainingStatus::Running));
        return m_connection.lastId();
    });
}

Result<void> TrainingStore::resume(RowId run)
{
    return m_connection.write([&]() -> Result<void> {
        if (checkRunning(m_connection, run))
            return fail(ErrorCode::InvalidArgument, "training run " + std::to_string(run) + " is running",
                        m_connection.path());
        return change(m_connection, "UPDATE training_runs SET status = 'running', message = '' WHERE id = ?1", run);
    });
}

Result<void> TrainingStore::append(RowId run, const TrainingMetrics &metrics)
{
    return m_connection.write([&]() -> Result<void> {
        if (const auto running = checkRunning(m_connection, run); !running)
            return running;
        if (const auto written = writeTrainingMetrics(m_connection, run, metrics); !written)
            return written;
        return change(m_connection, "UPDATE training_runs SET stored = ?2 WHERE id = ?1", run, currentTime());
    });
}

Result<void> TrainingStore::finish(RowId run, const TrainingEnd &end, const TrainingMetrics &metrics)
{
    if (end.status == TrainingStatus::Running)
        return fail(ErrorCode::InvalidArgument, "a training run cannot end as running", m_connection.path());
    return m_connection.write([&]() -> Result<void> {
        if (const auto written = append(run, metrics); !written)
            return written;
        return change(m_connection, "UPDATE training_runs SET status = ?2, message = ?3, fingerprint = ?4 "
                                    "WHERE id = ?1",
                      run, name(end.status), end.message, end.fingerprint);
    });
}

Result<void> TrainingStore::setNotes(RowId run, const std::string &notes)
{
    return change(m_connection, "UPDATE training_runs SET notes = ?2 WHERE id = ?1", run, notes);
}

Result<void> TrainingStore::rename(RowId run, const std::string &name)
{
    return change(m_connection, "UPDATE training_runs SET name = ?2 WHERE id = ?1", run, name);
}

Result<void> TrainingStore::remove(RowId run)
{
    return m_connection.write([&]() -> Result<void> {
        if (checkRunning(m_connection, run))
            return fail(ErrorCode::InvalidArgument, "training run " + std::to_string(run) + " is running",
                        m_connection.path(), "stop it first");
        return change(m_connection, "DELETE FROM training_runs WHERE id = ?1", run);
    });
}

Result<TrainingRunRow> TrainingStore::get(RowId run)
{
    return m_connection.read([&]() -> Result<TrainingRunRow> {
        const std::string sql = std::string("SELECT ") + trainingRunColumns + " FROM training_runs r WHERE r.id = ?1";
        SQLite::Statement row = m_connection.prepare(sql.c_str(), run);
        if (!row.executeStep())
            return noSuch(m_connection, "training run", run);
        return readTrainingRun(row);
    });
}

Result<std::vector<TrainingRunRow>> TrainingStore::list()
{
    return m_connection.read([&]() -> Result<std::vector<TrainingRunRow>> {
        const std::string sql = std::string("SELECT ") + trainingRunColumns +
                                " FROM training_runs r ORDER BY r.started DESC, r.id DESC";
        SQLite::Statement rows = m_connection.prepare(sql.c_str());
        std::vector<TrainingRunRow> runs;
        while (rows.executeStep()) {
            auto run = readTrainingRun(rows);
            if (!run)
                return propagate(run);
            runs.push_back(std::move(*run));
        }
        return runs;
    });
}

Result<TrainingMetrics> TrainingStore::metrics(RowId run)
{
    return m_connection.read([&]() -> Result<TrainingMetrics> {
        if (!m_connection.prepare("SELECT 1 FROM training_runs WHERE id = ?1", run).executeStep())
            return noSuch(m_connection, "training run", run);
        return readTrainingMetrics(m_connection, run);
    });
}

} // namespace lens
