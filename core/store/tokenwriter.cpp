#include "store/tokenwriter.h"

#include "store/probestore.h"

#include <utility>

namespace lens {

TokenWriter::TokenWriter(GenerationStore &store, RowId generation, Clock::duration interval)
    : m_store(&store), m_generation(generation), m_interval(interval)
{
}

TokenWriter::TokenWriter(TokenWriter &&other) noexcept
    : m_store(std::exchange(other.m_store, nullptr)), m_generation(other.m_generation), m_interval(other.m_interval),
      m_oldest(other.m_oldest), m_tokens(std::exchange(other.m_tokens, {})), m_probes(std::exchange(other.m_probes, {}))
{
}

TokenWriter::~TokenWriter()
{
    static_cast<void>(flush());
}

void TokenWriter::noteArrival(Clock::time_point now)
{
    if (m_tokens.empty() && m_probes.empty())
        m_oldest = now;
}

Result<void> TokenWriter::append(StoredToken token, Clock::time_point now)
{
    noteArrival(now);
    m_tokens.push_back(std::move(token));
    return flushIfDue(now);
}

Result<void> TokenWriter::append(const HeadFrame &frame, Clock::time_point now)
{
    noteArrival(now);
    m_probes.push_back(toChunk(frame));
    return flushIfDue(now);
}

Result<void> TokenWriter::flushIfDue(Clock::time_point now)
{
    const bool waiting = !m_tokens.empty() || !m_probes.empty();
    return waiting && now - m_oldest >= m_interval ? flush() : Result<void>();
}

Result<void> TokenWriter::flush()
{
    if (!m_store || (m_tokens.empty() && m_probes.empty()))
        return {};
    const auto stored = m_store->append(m_generation, m_tokens, m_probes);
    if (stored) {
        m_tokens.clear();
        m_probes.clear();
    }
    return stored;
}

Result<void> TokenWriter::finish(const GenerationOutcome &outcome)
{
    const auto stored = m_store->finish(m_generation, outcome, m_tokens, m_probes);
    if (stored) {
        m_tokens.clear();
        m_probes.clear();
    }
    return stored;
}

} // namespace lens
