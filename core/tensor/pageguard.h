// Keeps the process alive when pages of a mapped file are read that the file no longer has.
#pragma once

#include <cstddef>
#include <span>

namespace lens {

struct WatchedMapping;

/// Watches a mapping as long as it lives. Pages of it that cannot be read become zeros, which wasHit() tells. Any number of
/// them may be made in any thread; the first one sets this process's handler of SIGBUS, which hands on what is none of its
/// own. A few thousand mappings are watched at a time, more are not.
class PageGuard {
public:
    explicit PageGuard(std::span<const std::byte> mapping);
    ~PageGuard();
    PageGuard(const PageGuard &) = delete;
    PageGuard &operator=(const PageGuard &) = delete;

    bool wasHit() const;

private:
    WatchedMapping *m_watched;  // null where there was no room
};

} // namespace lens
