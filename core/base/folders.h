// Where this program finds and keeps things, by the XDG base directory specification.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

/// Empty when it is not set.
std::string environmentVariable(const char *name);

/// The parts of a list as $PATH is one; empty parts are left out.
std::vector<std::string> splitPathList(std::string_view list);

/// supralens in $XDG_DATA_HOME, else in ~/.local/share. Empty when there is no home.
std::filesystem::path userDataFolder();

/// supralens in $XDG_CACHE_HOME, else in ~/.cache. Empty when there is no home.
std::filesystem::path userCacheFolder();

/// supralens in each of $XDG_DATA_DIRS.
std::vector<std::filesystem::path> sharedDataFolders();

/// share/supralens beside the bin/ that the running program lies in, with the models it brings along. Empty for programs
/// that lie elsewhere (tests have no models but their own), and when the system does not tell.
std::filesystem::path privateDataFolder();

/// lib/supralens beside the folder of the running program: the same in a build folder, an installation and an
/// unpacked archive. Empty when the system does not tell.
std::filesystem::path privateLibraryFolder();

} // namespace lens
