// How many sequences are being decoded in this process: its cores are one thing that they all share.
#pragma once

#include <algorithm>
#include <atomic>

namespace lens {

/// Exists while a sequence is being decoded.
class CoreShare {
public:
    CoreShare() { ++s_holders; }
    ~CoreShare() { --s_holders; }
    CoreShare(const CoreShare &) = delete;
    CoreShare &operator=(const CoreShare &) = delete;

    /// Of so many threads, how many one of them should use now.
    static int of(int threads) { return std::max(1, threads / std::max(1, s_holders.load(std::memory_order_relaxed))); }

private:
    inline static std::atomic<int> s_holders{0};
};

} // namespace lens
