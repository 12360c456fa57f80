// Results to stdout, progress and remarks to stderr.
#pragma once

#include "base/progress.h"

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lens::cli {

class Console {
public:
    /// `readerGone` is called when nobody reads stdout any more.
    explicit Console(std::function<void()> readerGone);

    bool stdoutIsTerminal() const { return m_stdoutIsTerminal; }

    /// Written at once. Control characters that could steer a terminal are shown, not sent, when it is one.
    void write(std::string_view text);

    /// One document and a line feed. Invalid UTF-8 becomes U+FFFD; numbers that are not finite become null.
    void writeJson(const nlohmann::ordered_json &document);

    /// One line on stderr.
    void remark(std::string_view line);

    /// Draws a bar on stderr when that is a terminal; empty otherwise.
    ProgressFn progress();
    void clearProgress();

    bool readerIsGone() const { return m_readerGone; }
    const std::string &writeError() const { return m_writeError; }

private:
    void draw(const Progress &progress);

    std::function<void()> m_onReaderGone;
    bool m_stdoutIsTerminal;
    bool m_stderrIsTerminal;
    bool m_readerGone = false;
    bool m_barShown = false;
    std::string m_writeError;
    std::chrono::steady_clock::time_point m_lastDrawn;
};

} // namespace lens::cli
