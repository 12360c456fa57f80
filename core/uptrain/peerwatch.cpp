#include "uptrain/peerwatch.h"

#include <algorithm>
#include <stdexcept>

namespace lens {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::seconds(1);
constexpr auto kSilence = std::chrono::seconds(10);   // longer: lost
constexpr auto kPatience = std::chrono::seconds(14);  // for finding out who
constexpr auto kFarewell = std::chrono::seconds(10);  // of the keeper of the store

const std::string kLossKey = "lost";
const std::string kDoneKey = "done";  // how many processes have no more to read

std::string countKey(int rank)
{
    return "alive/" + std::to_string(rank);
}

bool isOpen(const c10::weak_intrusive_ptr<c10::ivalue::Future> &weak)
{
    const auto future = weak.lock();
    return future && !future->completed();
}

} // namespace

PeerWatch::PeerWatch(c10::intrusive_ptr<c10d::Store> store, int rank, int size, std::string keeper)
    : m_store(std::move(store)), m_rank(rank), m_keeper(std::move(keeper)), m_peers(static_cast<std::size_t>(size)),
      m_thread([this](std::stop_token stop) { run(stop); })
{
}

PeerWatch::~PeerWatch() = default;

PeerWatch::Future PeerWatch::guard(const Future &work)
{
    auto guarded = c10::make_intrusive<c10::ivalue::Future>(work->elementType());
    work->addCallback([this, guarded](c10::ivalue::Future &done) {
        if (done.hasError()) {
            workFailed();
            guarded->setErrorIfNeeded(done.exception_ptr());
            return;
        }
        try {
            guarded->markCompleted(done.value());
        } catch (const c10::Error &) {
            // A loss was reported meanwhile, and has ended it.
        }
    });
    const std::lock_guard lock(m_mutex);
    if (m_loss)
        guarded->setErrorIfNeeded(std::make_exception_ptr(std::runtime_error(*m_loss)));
    std::erase_if(m_guarded, [](const auto &weak) { return !isOpen(weak); });
    m_guarded.emplace_back(guarded);
    return guarded;
}

void PeerWatch::workFailed()
{
    const std::lock_guard lock(m_mutex);
    m_workFailed = true;
}

void PeerWatch::announce(const std::string &why)
{
    const std::lock_guard lock(m_storeMutex);
    try {
        m_store->set(kLossKey, why);
    } catch (...) {
        // Nobody is left to hear it.
    }
}

void PeerWatch::stop()
{
    m_thread.request_stop();
    if (m_thread.joinable())
        m_thread.join();
}

void PeerWatch::signOff()
{
    const std::lock_guard lock(m_storeMutex);
    try {
        m_store->add(kDoneKey, 1);
    } catch (...) {
        // The keeper is gone, and needs no telling.
    }
}

void PeerWatch::seeOthersOff()
{
    const auto end = Clock::now() + kFarewell;
    // One is not counted: this process when all leave or when it gives up itself, otherwise the lost one.
    const auto others = static_cast<std::int64_t>(m_peers.size()) - 1;
    const std::lock_guard lock(m_storeMutex);
    try {
        while (m_store->add(kDoneKey, 0) < others && Clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } catch (...) {
        // Without a store there is nobody to wait for.
    }
}

std::optional<std::string> PeerWatch::loss()
{
    std::unique_lock lock(m_mutex);
    if (m_workFailed)
        m_changed.wait_for(lock, kPatience, [this] { return m_loss.has_value(); });
    return m_loss;
}

void PeerWatch::run(std::stop_token stop)
{
    while (!stop.stop_requested()) {
        try {
            look();
        } catch (...) {
            report(m_keeper + " is gone");
        }
        std::unique_lock lock(m_mutex);
        if (m_loss)
            return;
        m_changed.wait_for(lock, stop, kInterval, [] { return false; });
    }
}

void PeerWatch::look()
{
    const std::lock_guard lock(m_storeMutex);
    m_store->add(countKey(m_rank), 1);
    if (m_store->check({kLossKey})) {
        const std::vector<std::uint8_t> text = m_store->get(kLossKey);
        acknowledge(std::string(text.begin(), text.end()));
        return;
    }
    for (int rank = 0; rank < static_cast<int>(m_peers.size()); ++rank) {
        if (rank == m_rank)
            continue;
        Peer &peer = m_peers[static_cast<std::size_t>(rank)];
        const std::int64_t count = m_store->add(countKey(rank), 0);
        const auto now = Clock::now();
        if (count != peer.count)
            peer = {count, now};
        else if (now - peer.changed > kSilence) {
            const std::string what = "rank " + std::to_string(rank) + " of " + std::to_string(m_peers.size()) + " does not answer any more";
            m_store->set(kLossKey, what);
            acknowledge(what);
            return;
        }
    }
}

void PeerWatch::acknowledge(const std::string &loss)
{
    m_store->add(kDoneKey, 1);
    report(loss);
}

void PeerWatch::report(const std::string &what)
{
    std::vector<c10::weak_intrusive_ptr<c10::ivalue::Future>> waiting;
    {
        const std::lock_guard lock(m_mutex);
        if (m_loss)
            return;
        m_loss = what;
        waiting = std::move(m_guarded);
        m_guarded.clear();
    }
    m_changed.notify_all();
    for (const auto &weak : waiting)
        if (const auto future = weak.lock())
            future->setErrorIfNeeded(std::make_exception_ptr(std::runtime_error(what)));
}

} // namespace lens
