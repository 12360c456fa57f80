// Models that were used, by weights and by the specification they were loaded with.
#pragma once

#include "base/result.h"
#include "store/records.h"

namespace lens {

class Connection;

class ModelStore {
public:
    explicit ModelStore(Connection &connection);

    /// Adds the model, or updates the facts and the time of use of the row with the same fingerprint and path. A row of
    /// that path without a fingerprint (inspected, never loaded) takes on this one's. Returns the row's id.
    Result<RowId> record(const ModelInfo &info);

    Result<ModelRow> get(RowId id);

    /// Most recently used first.
    Result<std::vector<ModelRow>> list();

    /// Models that columns or generations refer to cannot be removed: InvalidArgument.
    Result<void> remove(RowId id);

private:
    Connection &m_connection;
};

} // namespace lens
