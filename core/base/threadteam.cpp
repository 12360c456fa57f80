#include "base/threadteam.h"

namespace lens {

namespace {

constexpr int kPartBits = 21;
constexpr std::uint64_t kPartMask = (std::uint64_t{1} << kPartBits) - 1;
constexpr int kBusyTurns = 4000;  // some tens of microseconds

void relax()
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

} // namespace

ThreadTeam::ThreadTeam(int size) : m_limit(size)
{
    for (int i = 1; i < size; ++i)
        m_helpers.emplace_back([this, i] { help(i); });
}

ThreadTeam::~ThreadTeam()
{
    m_ends = true;
    ++m_round;
    m_round.notify_all();
    for (std::thread &helper : m_helpers)
        helper.join();
}

void ThreadTeam::runParts(std::int64_t parts, Call call, const void *work)
{
    if (m_helpers.empty() || parts < 2 || m_limit.load(std::memory_order_relaxed) < 2) {
        for (std::int64_t part = 0; part < parts; ++part)
            call(work, part);
        return;
    }
    m_call = call;
    m_work = work;
    m_finished.store(0, std::memory_order_relaxed);
    m_ticket.store(static_cast<std::uint64_t>(parts) << kPartBits, std::memory_order_release);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    while (doPart()) {
    }
    for (int turn = 0; m_finished.load(std::memory_order_acquire) < parts; ++turn) {
        relax();
        if (turn >= kBusyTurns)  // its core was given to someone else
            std::this_thread::yield();
    }
}

/// False when no part was left.
bool ThreadTeam::doPart()
{
    const std::uint64_t ticket = m_ticket.fetch_add(1, std::memory_order_acq_rel);
    const auto part = static_cast<std::int64_t>(ticket & kPartMask);
    if (part >= static_cast<std::int64_t>(ticket >> kPartBits))
        return false;
    // Until this part is counted as finished, the round cannot end and these stay as they are.
    m_call(m_work, part);
    m_finished.fetch_add(1, std::memory_order_release);
    return true;
}

void ThreadTeam::help(int index)
{
    std::uint32_t seen = 0;
    for (;;) {
        for (int turn = 0; m_round.load(std::memory_order_acquire) == seen && turn < kBusyTurns; ++turn)
            relax();
        m_round.wait(seen, std::memory_order_acquire);
        seen = m_round.load(std::memory_order_acquire);
        if (m_ends)
            return;
        while (index < m_limit.load(std::memory_order_relaxed) && doPart()) {
        }
    }
}

} // namespace lens
