// A run's checkpoints: everything to go on bit for bit. Since data order is a function of seed and step, and nothing
// random happens between steps, the numbers below are all there is.
#pragma once

#include "mixer/sequencestate.h"

#include <filesystem>
#include <optional>

namespace lens {

struct RunPosition {
    std::int64_t step = 0;       ///< done, over all stages
    std::int64_t stage = 0;      ///< of the next step
    std::int64_t stageStep = 0;  ///< done of that stage
    std::int64_t tokens = 0;
    double seconds = 0;
    std::int64_t skipped = 0;
    std::int64_t skippedInARow = 0;
    double perplexity = 0;          ///< newest held-out perplexity; 0 when unknown
    double originalPerplexity = 0;
};

struct RunCheckpoint {
    RunPosition position;
    NamedTensors masters;
    NamedTensors optimiser;
};

class CheckpointFolder {
public:
    CheckpointFolder(std::filesystem::path folder, std::int64_t keep) : m_folder(std::move(folder)), m_keep(keep) {}

    /// Written beside, synced, renamed; then older ones than the newest `keep` are removed. ErrorCode::Io when the disk
    /// is full: what was there stays.
    Result<void> write(const RunCheckpoint &checkpoint) const;

    /// Steps of complete checkpoints, ascending.
    std::vector<std::int64_t> steps() const;

    /// The newest that can be read, damaged ones are passed over; nothing when there is none.
    Result<std::optional<RunCheckpoint>> newest() const;

private:
    std::filesystem::path folderOf(std::int64_t step) const;
    Result<RunCheckpoint> read(std::int64_t step) const;
    void removeOld() const;

    std::filesystem::path m_folder;
    std::int64_t m_keep;
};

} // namespace lens
