#include "cli/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace lens::cli {

namespace {

// A signal handler has no argument of its own, so what it touches must be at namespace scope.
std::atomic<int> pipeForHandler{-1};
std::atomic<bool> wasInterrupted{false};

constexpr char interruptByte = 'i';
constexpr char quitByte = 'q';

void onInterrupt(int)
{
    const int saved = errno;
    wasInterrupted.store(true);
    if (::write(pipeForHandler.load(), &interruptByte, 1) < 0)
        _exit(130);
    errno = saved;
}

} // namespace

Interrupt::Interrupt()
{
    // Writing to a reader that has gone must return EPIPE, so that the workspace is closed properly first.
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return;
    m_read = ends[0];
    m_write = ends[1];
    pipeForHandler.store(m_write);
    m_watcher = std::thread([this] { watch(); });

    struct sigaction action = {};
    action.sa_handler = onInterrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt()
{
    if (!m_watcher.joinable())
        return;
    std::signal(SIGINT, SIG_DFL);
    if (::write(m_write, &quitByte, 1) == 1)
        m_watcher.join();
    else
        m_watcher.detach();
    ::close(m_write);
    ::close(m_read);
}

bool Interrupt::interrupted() const
{
    return wasInterrupted.load();
}

void Interrupt::watch()
{
    char byte = 0;
    for (;;) {
        const ssize_t count = ::read(m_read, &byte, 1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count != 1 || byte == quitByte)
            return;
        m_source.request_stop();
    }
}

} // namespace lens::cli
