#include "store/modelstore.h"

#include "store/connection.h"
#include "store/jsonforms.h"

namespace lens {

namespace {

constexpr const char *select = "SELECT id, fingerprint, path, info, added, last_used FROM models ";

Result<ModelRow> readModel(SQLite::Statement &statement)
{
    const auto json = parseJson(statement.getColumn(3).getString());
    auto info = json ? modelInfoFromJson(*json) : propagate(json);
    if (!info)
        return propagate(info);
    ModelRow row;
    row.id = statement.getColumn(0).getInt64();
    row.info = std::move(*info);
    // JSON holds only UTF-8, which a path need not be.
    row.info.fingerprint = statement.getColumn(1).getString();
    row.info.path = statement.getColumn(2).getString();
    row.added = statement.getColumn(4).getInt64();
    row.lastUsed = statement.getColumn(5).getInt64();
    return row;
}

/// The row this model updates: its own, or the one its path had before it was first loaded. 0 = none.
RowId existingRow(Connection &connection, const ModelInfo &info)
{
    SQLite::Statement same = connection.prepare("SELECT id FROM models WHERE path = ?1 AND fingerprint IN (?2, '') "
                                                "ORDER BY fingerprint DESC LIMIT 1",
                                                info.path, info.fingerprint);
    return same.executeStep() ? same.getColumn(0).getInt64() : 0;
}

} // namespace

ModelStore::ModelStore(Connection &connection) : m_connection(connection)
{
}

Result<RowId> ModelStore::record(const ModelInfo &info)
{
    return m_connection.write([&]() -> Result<RowId> {
        const std::string json = dumpJson(toJson(info));
        const Milliseconds now = currentTime();
        if (const RowId row = existingRow(m_connection, info); row != 0) {
            m_connection.execute("UPDATE models SET fingerprint = ?2, info = ?3, last_used = ?4 WHERE id = ?1", row,
                                 info.fingerprint, json, now);
            return row;
        }
        m_connection.execute(
            "INSERT INTO models (fingerprint, path, info, added, last_used) VALUES (?1, ?2, ?3, ?4, ?4)",
            info.fingerprint, info.path, json, now);
        return m_connection.lastId();
    });
}

Result<ModelRow> ModelStore::get(RowId id)
{
    return m_connection.read([&]() -> Result<ModelRow> {
        SQLite::Statement row = m_connection.prepare((std::string(select) + "WHERE id = ?1").c_str(), id);
        if (!row.executeStep())
            return noSuch(m_connection, "model", id);
        return readModel(row);
    });
}

Result<std::vector<ModelRow>> ModelStore::list()
{
    return m_connection.read([&]() -> Result<std::vector<ModelRow>> {
        SQLite::Statement rows =
            m_connection.prepare((std::string(select) + "ORDER BY last_used DESC, id DESC").c_str());
        std::vector<ModelRow> models;
        while (rows.executeStep()) {
            auto model = readModel(rows);
            if (!model)
                return propagate(model);
            models.push_back(std::move(*model));
        }
        return models;
    });
}

Result<void> ModelStore::remove(RowId id)
{
    return m_connection.write([&]() -> Result<void> {
        SQLite::Statement used = m_connection.prepare("SELECT EXISTS (SELECT 1 FROM session_columns WHERE model = ?1) "
                                                      "OR EXISTS (SELECT 1 FROM generations WHERE model = ?1)",
                                                      id);
        used.executeStep();
        if (used.getColumn(0).getInt() != 0)
            return fail(ErrorCode::InvalidArgument, "sessions use this model", m_connection.path(),
                        "remove those sessions for good first");
        if (m_connection.execute("DELETE FROM models WHERE id = ?1", id) == 0)
            return noSuch(m_connection, "model", id);
        return {};
    });
}

} // namespace lens
