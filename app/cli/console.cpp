#include "cli/console.h"

#include "cli/format.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lens::cli {

namespace {

/// errno of the failure, or 0.
int writeAll(int descriptor, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return 0;
}

} // namespace

Console::Console(std::function<void()> readerGone)
    : m_onReaderGone(std::move(readerGone)), m_stdoutIsTerminal(::isatty(STDOUT_FILENO) == 1),
      m_stderrIsTerminal(::isatty(STDERR_FILENO) == 1)
{
}

void Console::write(std::string_view text)
{
    if (m_readerGone || !m_writeError.empty())
        return;
    clearProgress();
    const int error = m_stdoutIsTerminal ? writeAll(STDOUT_FILENO, harmless(text)) : writeAll(STDOUT_FILENO, text);
    if (error == 0)
        return;
    if (error == EPIPE)
        m_readerGone = true;
    else
        m_writeError = std::strerror(error);
    m_onReaderGone();
}

void Console::writeJson(const nlohmann::ordered_json &document)
{
    write(document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void Console::remark(std::string_view line)
{
    clearProgress();
    writeAll(STDERR_FILENO, (m_stderrIsTerminal ? harmless(line) : std::string(line)) + "\n");
}

ProgressFn Console::progress()
{
    if (!m_stderrIsTerminal)
        return {};
    return [this](const Progress &progress) { draw(progress); };
}

void Console::clearProgress()
{
    if (!m_barShown)
        return;
    m_barShown = false;
    writeAll(STDERR_FILENO, "\r\033[K");
}

void Console::draw(const Progress &progress)
{
    const auto now = std::chrono::steady_clock::now();
    if (m_barShown && now - m_lastDrawn < std::chrono::milliseconds(100))
        return;
    m_lastDrawn = now;
    m_barShown = true;
    std::string line = "\r\033[K";
    if (progress.total > 0) {
        constexpr int width = 30;
        const double share = std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total));
        const int filled = static_cast<int>(share * width);
        line +=
            "[" + std::string(filled, '#') + std::string(width - filled, '.') + "] " + fixed(100 * share, 0) + " % ";
    }
    writeAll(STDERR_FILENO, line + harmless(progress.stage));
}

} // namespace lens::cli
