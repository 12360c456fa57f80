// Notices processes that are gone. Gloo tells only those that were talking to them, and not who it was.
#pragma once

#include <ATen/core/ivalue.h>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

namespace lens {

/// Every process counts up a number in the store each second, and looks at those of the others.
class PeerWatch {
public:
    using Future = c10::intrusive_ptr<c10::ivalue::Future>;

    /// `store` is for this object alone. `keeper` names who keeps it: "rank 0".
    PeerWatch(c10::intrusive_ptr<c10d::Store> store, int rank, int size, std::string keeper);
    ~PeerWatch();

    /// Ends as `work` does, or with an error as soon as a process is lost.
    Future guard(const Future &work);

    /// Tells the others that this process goes, and why.
    void announce(const std::string &why);

    /// No more looking; guarded futures end only as their work does.
    void stop();

    /// Tells the keeper of the store that this process needs it no more. The watch must have been stopped.
    void signOff();

    /// For the keeper of the store, which goes last: the others would take its end for the loss. Waits until each of them
    /// has signed off or heard of a loss, some seconds at most.
    void seeOthersOff();

    /// Who is lost, once a guarded future has failed; waits until that is known. Nothing when all is well.
    std::optional<std::string> loss();

private:
    struct Peer {
        std::int64_t count = 0;
        std::chrono::steady_clock::time_point changed = std::chrono::steady_clock::now();
    };

    void run(std::stop_token stop);
    void look();
    void acknowledge(const std::string &loss);
    void report(const std::string &what);
    void workFailed();

    c10::intrusive_ptr<c10d::Store> m_store;
    const int m_rank;
    const std::string m_keeper;
    std::vector<Peer> m_peers;  // of the watching thread

    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::optional<std::string> m_loss;
    bool m_workFailed = false;
    std::vector<c10::weak_intrusive_ptr<c10::ivalue::Future>> m_guarded;
    std::mutex m_storeMutex;
    std::jthread m_thread;
};

} // namespace lens
