// What probes measured, in compressed chunks.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <string>
#include <vector>

namespace lens {

class Connection;

/// The kind under which state norms are kept.
inline constexpr const char *stateNormKind = "state-norm";

ProbeChunk toChunk(const StateNormFrame &frame);

class ProbeStore {
public:
    explicit ProbeStore(Connection &connection);

    /// LimitExceeded beyond 256 MiB; InvalidArgument when shape and values disagree.
    Result<void> append(RowId generation, const ProbeChunk &chunk);

    /// Kinds there are for a generation, by name.
    Result<std::vector<std::string>> kinds(RowId generation);

    /// In the order in which they were appended.
    Result<std::vector<ProbeChunk>> chunks(RowId generation, const std::string &kind);

    /// All state norms of a generation as one frame; positions nothing was stored for are NaN. Empty when there is
    /// none.
    Result<StateNormFrame> stateNorms(RowId generation);

private:
    Connection &m_connection;
};

} // namespace lens
