// Generations and their tokens.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lens {

class Connection;

class GenerationStore {
public:
    explicit GenerationStore(Connection &connection);

    /// A running generation; it becomes the answer of its column to its turn, in place of an earlier one.
    Result<RowId> begin(const GenerationStart &start);

    /// Runs a finished one on ("continue"): further tokens follow those it has.
    Result<void> resume(RowId generation);

    /// Tokens, in order, and what probes measured meanwhile, in one transaction. The generation must be running
    /// (InvalidArgument otherwise). Usually called through TokenWriter.
    Result<void> append(RowId generation, std::span<const StoredToken> tokens, std::span<const ProbeChunk> probes = {});

    /// The last tokens and the end, in one transaction; the answer can be searched from now on.
    Result<void> finish(RowId generation, const GenerationOutcome &outcome, std::span<const StoredToken> tokens = {},
                        std::span<const ProbeChunk> probes = {});

    Result<GenerationRow> get(RowId generation);
    Result<std::vector<StoredToken>> tokens(RowId generation);
    Result<std::vector<std::int32_t>> promptIds(RowId generation);

    /// KL and the like of two generations; replaces what was stored for this pair. The pair is ordered.
    Result<void> saveComparison(const StoredComparison &comparison);
    Result<std::optional<StoredComparison>> comparison(RowId first, RowId second);

    /// All with that first one, by the second.
    Result<std::vector<StoredComparison>> comparisons(RowId first);

private:
    Connection &m_connection;
};

} // namespace lens
