// Opening a plugin for the first time, in a process of its own: a library may crash, throw or hang while it is loaded,
// and nothing inside one process can stop that.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <map>
#include <string>

namespace lens {

/// What became of plugins that were tried, kept in a file so that each is tried once. A plugin is tried again when its
/// size or time of change differs.
class PluginTrials {
public:
    /// `program` is supralens-plugin-trial. Without it, and without a file to remember in, everything passes.
    PluginTrials(std::filesystem::path program, std::filesystem::path memory);

    /// Where an installation keeps the program, and the user's cache.
    static PluginTrials standard();

    /// The reason why `plugin` cannot be opened here, or nothing. Waits at most ten seconds for it.
    Result<void> tryOut(const std::filesystem::path &plugin);

private:
    Result<void> run(const std::filesystem::path &plugin) const;
    void load();
    void save() const;

    std::filesystem::path m_program, m_memory;
    std::map<std::string, std::string> m_verdicts;  ///< by path, size and time of change; empty = it passed
    bool m_loaded = false;
};

} // namespace lens
