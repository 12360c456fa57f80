// A few threads that do the parts of one piece of work together, thousands of times a second: the steps of decoding a
// token, each of which takes some tens of microseconds.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace lens {

/// Belongs to one thread at a time, which calls run() and works with the others. Idle helpers wait busily for a short
/// while, then sleep. A helper that the system has taken its core from holds nobody up but for the part it is at.
class ThreadTeam {
public:
    /// `size` counts the calling thread; less than two means no helpers.
    explicit ThreadTeam(int size);
    ~ThreadTeam();

    int size() const { return static_cast<int>(m_shares.size()); }

    /// Lets only so many threads work from the next run() on.
    void limit(int threads) { m_limit.store(threads, std::memory_order_relaxed); }

    /// f(part) once for each part in 0..parts-1 (at most 2^20), in any order and thread; returns when all are done. As long as
    /// all threads keep up, each does neighbouring parts one after the other, the same ones each time. f must not throw.
    template <class F>
    void run(std::int64_t parts, const F &f)
    {
        runParts(parts, [](const void *work, std::int64_t part) { (*static_cast<const F *>(work))(part); }, &f);
    }

private:
    using Call = void (*)(const void *work, std::int64_t part);

    /// The parts that are a thread's own, until others have none left. Which is next and where they end is one number:
    /// whoever takes a part by adding one to it also learns whether there was one to take.
    struct alignas(64) Share {
        std::atomic<std::uint64_t> ticket{0};
    };

    void runParts(std::int64_t parts, Call call, const void *work);
    void doParts(int index);
    bool doPartOf(Share &share);
    void help(int index);

    std::vector<Share> m_shares;
    alignas(64) std::atomic<std::int64_t> m_finished{0};
    alignas(64) std::atomic<std::uint32_t> m_round{0};  // what idle helpers look at
    std::atomic<int> m_limit;
    std::atomic<bool> m_ends{false};
    Call m_call = nullptr;          // these two are read only by who holds a part
    const void *m_work = nullptr;
    std::vector<std::thread> m_helpers;
};

} // namespace lens
