#include "base/folders.h"

#include <cstdlib>

namespace lens {

namespace {

namespace fs = std::filesystem;

fs::path userFolder(const char *variable, const char *belowHome)
{
    if (const std::string folder = environmentVariable(variable); !folder.empty())
        return fs::path(folder) / "supralens";
    if (const std::string home = environmentVariable("HOME"); !home.empty())
        return fs::path(home) / belowHome / "supralens";
    return {};
}

/// The folder above that of the running program.
fs::path programPlace()
{
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path() : program.parent_path().parent_path();
}

} // namespace

std::string environmentVariable(const char *name)
{
    const char *value = std::getenv(name);
    return value ? value : "";
}

std::vector<std::string> splitPathList(std::string_view list)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= list.size();) {
        const std::size_t end = std::min(list.find(':', begin), list.size());
        if (end > begin)
            parts.emplace_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

fs::path userDataFolder()
{
    return userFolder("XDG_DATA_HOME", ".local/share");
}

fs::path userCacheFolder()
{
    return userFolder("XDG_CACHE_HOME", ".cache");
}

std::vector<fs::path> sharedDataFolders()
{
    const std::string listed = environmentVariable("XDG_DATA_DIRS");
    std::vector<fs::path> folders;
    for (const std::string &folder : splitPathList(listed.empty() ? "/usr/local/share:/usr/share" : listed))
        folders.push_back(fs::path(folder) / "supralens");
    return folders;
}

fs::path privateDataFolder()
{
    std::error_code error;
    const bool isInstalled = fs::read_symlink("/proc/self/exe", error).parent_path().filename() == "bin";
    return isInstalled ? programPlace() / "share" / "supralens" : fs::path();
}

fs::path privateLibraryFolder()
{
    const fs::path place = programPlace();
    return place.empty() ? place : place / "lib" / "supralens";
}

} // namespace lens
