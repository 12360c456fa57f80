#include "model/plugintrial.h"

#include "base/folders.h"
#include "checkpoint/jsonfile.h"
#include "checkpoint/writer.h"
#include "model/plugin.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lens {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);
constexpr std::size_t longestReport = 2000;

/// A plugin that was exchanged is another plugin.
std::string keyOf(const fs::path &plugin)
{
    std::error_code error;
    const auto size = fs::file_size(plugin, error);
    const auto time = fs::last_write_time(plugin, error).time_since_epoch().count();
    return fs::absolute(plugin, error).string() + "|" + std::to_string(size) + "|" + std::to_string(time) + "|"
           + std::to_string(SUPRALENS_PLUGIN_INTERFACE) + "|" TORCH_VERSION;
}

class Pipe {
public:
    Pipe() { m_open = ::pipe2(m_ends, O_CLOEXEC) == 0; }
    ~Pipe()
    {
        closeWriting();
        if (m_open)
            ::close(m_ends[0]);
    }
    Pipe(const Pipe &) = delete;
    Pipe &operator=(const Pipe &) = delete;

    bool isOpen() const { return m_open; }
    int reading() const { return m_ends[0]; }
    int writing() const { return m_ends[1]; }
    void closeWriting()
    {
        if (m_open && m_ends[1] >= 0)
            ::close(std::exchange(m_ends[1], -1));
    }

private:
    int m_ends[2] = {-1, -1};
    bool m_open = false;
};

/// Starts `program plugin` with its output and its complaints in `output`; 0 when it cannot be started.
pid_t start(const fs::path &program, const fs::path &plugin, const Pipe &output)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output.writing(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output.writing(), STDERR_FILENO);
    std::string name = program.string(), argument = plugin.string();
    char *arguments[] = {name.data(), argument.data(), nullptr};
    pid_t child = 0;
    const int failed = posix_spawn(&child, name.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? 0 : child;
}

/// Everything until the end, or until `deadline`; then `late` is set.
std::string readAll(int descriptor, Clock::time_point deadline, bool &late)
{
    std::string text;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd wanted{descriptor, POLLIN, 0};
        late = left <= 0 || ::poll(&wanted, 1, static_cast<int>(left)) == 0;
        char buffer[512];
        const ssize_t count = late ? 0 : ::read(descriptor, buffer, sizeof buffer);
        if (count <= 0)
            return text;
        if (text.size() < longestReport)
            text.append(buffer, static_cast<std::size_t>(count));
    }
}

std::string firstLines(std::string text)
{
    std::ranges::replace(text, '\n', ' ');
    while (text.ends_with(' '))
        text.pop_back();
    return text;
}

std::string verdictOf(int status, const std::string &report)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return {};
    if (WIFSIGNALED(status)) {
        const char *signal = strsignal(WTERMSIG(status));
        return "it crashed while it was opened (" + std::string(signal ? signal : "a signal") + ")"
               + (report.empty() ? "" : ": " + firstLines(report));
    }
    return report.empty() ? "it ended the process that opened it" : firstLines(report);
}

} // namespace

PluginTrials::PluginTrials(fs::path program, fs::path memory)
    : m_program(std::move(program)), m_memory(std::move(memory))
{
}

PluginTrials PluginTrials::standard()
{
    const fs::path cache = userCacheFolder();
    return {privateLibraryFolder() / "supralens-plugin-trial", cache.empty() ? fs::path() : cache / "plugins.json"};
}

Result<void> PluginTrials::tryOut(const fs::path &plugin)
{
    std::error_code error;
    if (m_program.empty() || !fs::exists(m_program, error))
        return {};
    load();
    const std::string key = keyOf(plugin);
    auto found = m_verdicts.find(key);
    if (found == m_verdicts.end()) {
        const Result<void> passed = run(plugin);
        const std::string path = key.substr(0, key.find('|') + 1);
        std::erase_if(m_verdicts, [&](const auto &entry) { return entry.first.starts_with(path); });
        found = m_verdicts.emplace(key, passed ? std::string() : passed.error().what).first;
        save();
    }
    if (found->second.empty())
        return {};
    return fail(ErrorCode::Malformed, found->second, plugin.string(), "remove the file, or install the plugin again");
}

Result<void> PluginTrials::run(const fs::path &plugin) const
{
    Pipe output;
    const pid_t child = output.isOpen() ? start(m_program, plugin, output) : 0;
    if (child == 0)
        return {};
    output.closeWriting();
    bool late = false;
    const std::string report = readAll(output.reading(), Clock::now() + patience, late);
    if (late)
        ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (late)
        return fail(ErrorCode::Malformed, "it did not finish opening within ten seconds", plugin.string());
    if (const std::string verdict = verdictOf(status, report); !verdict.empty())
        return fail(ErrorCode::Malformed, verdict, plugin.string());
    return {};
}

void PluginTrials::load()
{
    std::error_code error;
    if (std::exchange(m_loaded, true) || m_memory.empty() || !fs::exists(m_memory, error))
        return;
    const auto stored = readJsonObject(m_memory);
    if (!stored)
        return;
    for (const auto &[key, verdict] : stored->items())
        if (verdict.is_string())
            m_verdicts[key] = verdict.get<std::string>();
}

void PluginTrials::save() const
{
    if (m_memory.empty())
        return;
    std::error_code error;
    fs::create_directories(m_memory.parent_path(), error);
    // Not kept: the plugin is tried again next time.
    (void)writeFileAtomically(m_memory, nlohmann::json(m_verdicts).dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

} // namespace lens
