#include "base/threadteam.h"

#include <algorithm>

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

ThreadTeam::ThreadTeam(int size) : m_shares(static_cast<std::size_t>(std::max(1, size))), m_limit(size)
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
    const std::int64_t threads = std::min(size(), m_limit.load(std::memory_order_relaxed));
    if (parts < 2 || threads < 2) {
        for (std::int64_t part = 0; part < parts; ++part)
            call(work, part);
        return;
    }
    m_call = call;
    m_work = work;
    m_finished.store(0, std::memory_order_relaxed);
    const auto endOf = [&](std::int64_t share) { return static_cast<std::uint64_t>(parts * std::min(share, threads) / threads); };
    for (std::int64_t i = 0; i < size(); ++i)
        m_shares[static_cast<std::size_t>(i)].ticket.store(endOf(i + 1) << kPartBits | endOf(i), std::memory_order_release);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    doParts(0);
    for (int turn = 0; m_finished.load(std::memory_order_acquire) < parts; ++turn) {
        relax();
        if (turn >= kBusyTurns)  // its core was given to someone else
            std::this_thread::yield();
    }
}

/// A thread's own parts, then what the others have not got to.
void ThreadTeam::doParts(int index)
{
    const std::size_t shares = m_shares.size();
    std::int64_t done = 0;
    for (std::size_t i = 0; i < shares; ++i)
        while (index < m_limit.load(std::memory_order_relaxed)
               && doPartOf(m_shares[(static_cast<std::size_t>(index) + i) % shares]))
            ++done;
    if (done > 0)
        m_finished.fetch_add(done, std::memory_order_release);
}

/// False when no part was left.
bool ThreadTeam::doPartOf(Share &share)
{
    const std::uint64_t ticket = share.ticket.fetch_add(1, std::memory_order_acq_rel);
    const std::uint64_t part = ticket & kPartMask;
    if (part >= ticket >> kPartBits)
        return false;
    // Until this part is counted as finished, the round cannot end and these stay as they are.
    m_call(m_work, static_cast<std::int64_t>(part));
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
        doParts(index);
    }
}

} // namespace lens
