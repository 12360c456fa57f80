#include "tensor/pageguard.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

namespace lens {

struct WatchedMapping {
    std::atomic<std::uintptr_t> begin{0};  // 0: free
    std::atomic<std::size_t> size{0};
    std::atomic<bool> wasHit{false};
};

namespace {

// A signal's handler belongs to the process and may neither allocate nor lock, hence this table of fixed size.
std::array<WatchedMapping, 4096> watchedMappings;

struct sigaction previousHandler;
std::uintptr_t pageSize;

WatchedMapping *watchedAt(std::uintptr_t address)
{
    for (WatchedMapping &one : watchedMappings) {
        const std::uintptr_t begin = one.begin.load(std::memory_order_acquire);
        if (begin != 0 && address >= begin && address - begin < one.size.load(std::memory_order_relaxed))
            return &one;
    }
    return nullptr;
}

void replacePage(int, siginfo_t *info, void *)
{
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    WatchedMapping *watched = watchedAt(address);
    void *page = reinterpret_cast<void *>(address / pageSize * pageSize);
    if (watched && ::mmap(page, pageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
        watched->wasHit.store(true, std::memory_order_relaxed);
    else
        ::sigaction(SIGBUS, &previousHandler, nullptr);  // the access is repeated, and meets who was there before
}

void install()
{
    static std::once_flag once;
    std::call_once(once, [] {
        pageSize = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
        struct sigaction handler = {};
        handler.sa_sigaction = replacePage;
        handler.sa_flags = SA_SIGINFO;
        ::sigemptyset(&handler.sa_mask);
        ::sigaction(SIGBUS, &handler, &previousHandler);
    });
}

} // namespace

PageGuard::PageGuard(std::span<const std::byte> mapping)
    : m_watched(nullptr)
{
    install();
    const auto begin = reinterpret_cast<std::uintptr_t>(mapping.data());
    for (WatchedMapping &one : watchedMappings) {
        std::uintptr_t free = 0;
        constexpr std::uintptr_t taken = 1;  // no mapping begins there: its size can be written before anybody reads it
        if (!one.begin.compare_exchange_strong(free, taken, std::memory_order_acquire))
            continue;
        one.wasHit.store(false, std::memory_order_relaxed);
        one.size.store(mapping.size(), std::memory_order_relaxed);
        one.begin.store(begin, std::memory_order_release);
        m_watched = &one;
        return;
    }
}

PageGuard::~PageGuard()
{
    if (!m_watched)
        return;
    m_watched->size.store(0, std::memory_order_relaxed);
    m_watched->begin.store(0, std::memory_order_release);
}

bool PageGuard::wasHit() const
{
    return m_watched && m_watched->wasHit.load(std::memory_order_relaxed);
}

} // namespace lens
