// What probes measured, in compressed chunks.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <string>
#include <vector>

namespace lens {

class Connection;

/// The kind under which a quantity is kept.
const char *kindOf(HeadQuantity quantity);

ProbeChunk toChunk(const HeadFrame &frame);

class ProbeStore {
public:
    explicit ProbeStore(Connection &connection);

    /// LimitExceeded beyond 256 MiB; InvalidArgument when shape and values disagree.
    Result<void> append(RowId generation, const ProbeChunk &chunk);

    /// Kinds there are for a generation, by name.
    Result<std::vector<std::string>> kinds(RowId generation);

    /// In the order in which they were appended.
    Result<std::vector<ProbeChunk>> chunks(RowId generation, const std::string &kind);

    /// All of one quantity of a generation as one frame; positions nothing was stored for are NaN. Empty when there is
    /// none.
    Result<HeadFrame> heads(RowId generation, HeadQuantity quantity);

private:
    Connection &m_connection;
};

} // namespace lens
