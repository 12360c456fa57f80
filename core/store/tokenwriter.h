// Gathers the tokens of one running generation and stores them in batches, so that a killed process loses less than
// a second of them.
#pragma once

#include "store/generationstore.h"

#include <chrono>
#include <vector>

namespace lens {

/// Used on the workspace's thread. `append` flushes by itself when the oldest waiting token is due; a caller whose
/// tokens come slowly also calls `flushIfDue` from a timer, four times a second.
class TokenWriter {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds defaultInterval{500};

    TokenWriter(GenerationStore &store, RowId generation, Clock::duration interval = defaultInterval);
    ~TokenWriter(); ///< stores what waits, ignoring errors; a generation not finished stays running
    TokenWriter(TokenWriter &&other) noexcept;
    TokenWriter &operator=(TokenWriter &&) = delete;

    RowId generation() const { return m_generation; }

    /// When storing fails, what waits is kept and tried again with the next flush.
    Result<void> append(StoredToken token, Clock::time_point now = Clock::now());
    Result<void> append(const HeadFrame &frame, Clock::time_point now = Clock::now());

    Result<void> flushIfDue(Clock::time_point now = Clock::now());
    Result<void> flush();

    /// Stores the rest and the end in one transaction. Call it once; after an error it may be repeated.
    Result<void> finish(const GenerationOutcome &outcome);

    std::size_t waiting() const { return m_tokens.size(); }

private:
    void noteArrival(Clock::time_point now);

    GenerationStore *m_store;
    RowId m_generation;
    Clock::duration m_interval;
    Clock::time_point m_oldest;
    std::vector<StoredToken> m_tokens;
    std::vector<ProbeChunk> m_probes;
};

} // namespace lens
