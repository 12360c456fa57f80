// What is known about plugins, as plain data for the window and the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lens {

struct PluginInfo {
    enum class State {
        Usable,   ///< its architectures can be used
        Refused,  ///< `reason` says why: another version, damaged, failing
    };

    std::string file;
    std::string name;     ///< the file's own name when the plugin does not say
    std::string version;
    std::string summary;  ///< one line
    std::vector<std::string> architectures;
    State state = State::Refused;
    std::string reason;
};

/// $SUPRALENS_PLUGINS (several, separated by colons), then plugins in the user's data folder, then in the program's
/// own library folder. Folders that do not exist are left out.
std::vector<std::string> standardPluginFolders();

} // namespace lens
