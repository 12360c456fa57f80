// Ctrl-C as a stop request. The signal handler only writes to a pipe; a thread turns that into a request_stop().
#pragma once

#include <stop_token>
#include <thread>

namespace lens::cli {

/// One per process, while it lives. A second Ctrl-C ends the program at once.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt &) = delete;
    Interrupt &operator=(const Interrupt &) = delete;

    std::stop_token token() const { return m_source.get_token(); }

    /// Stops the work for another reason: nobody reads the output any more.
    void stop() { m_source.request_stop(); }

    /// Whether it was Ctrl-C.
    bool interrupted() const;

private:
    void watch();

    std::stop_source m_source;
    std::thread m_watcher;
    int m_read = -1;
    int m_write = -1;
};

} // namespace lens::cli
