#include "model/plugins.h"

#include "base/folders.h"
#include "model/plugin.h"
#include "model/plugindescriptor.h"
#include "tensor/torchbridge.h"

#include <ATen/DynamicLibrary.h>
#include <algorithm>
#include <filesystem>
#include <set>

namespace lens {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> libraries(std::span<const std::string> folders)
{
    std::vector<fs::path> files;
    std::set<std::string> names;
    for (const std::string &folder : folders) {
        std::vector<fs::path> here;
        std::error_code error;
        for (const fs::directory_entry &entry : fs::directory_iterator(folder, error))
            if (const std::string extension = entry.path().extension().string();
                extension == ".so" || extension == ".dylib" || extension == ".dll")
                here.push_back(entry.path());
        std::ranges::sort(here);
        for (const fs::path &file : here)
            if (names.insert(file.filename().string()).second)
                files.push_back(file);
    }
    return files;
}

PluginInfo describePlugin(const fs::path &file, PluginTrials &trials, ArchitectureRegistry &registry)
{
    PluginInfo info;
    info.file = file.string();
    info.name = file.stem().string();
    const auto refuse = [&](const Error &error) {
        info.reason = error.advice.empty() ? error.what : error.what + " (" + error.advice + ")";
        return info;
    };
    const auto descriptor = readPluginDescriptor(file);
    if (!descriptor)
        return refuse(descriptor.error());
    if (!descriptor->name.empty())
        info.name = descriptor->name;
    info.version = descriptor->version;
    info.summary = descriptor->summary;
    if (auto compatible = checkCompatible(*descriptor, file); !compatible)
        return refuse(compatible.error());
    if (auto passed = trials.tryOut(file); !passed)
        return refuse(passed.error());
    auto ids = openPlugin(file, registry);
    if (!ids)
        return refuse(ids.error());
    info.architectures = std::move(*ids);
    info.state = PluginInfo::State::Usable;
    return info;
}

} // namespace

std::vector<std::string> standardPluginFolders()
{
    std::vector<std::string> folders = splitPathList(environmentVariable("SUPRALENS_PLUGINS"));
    for (const fs::path &base : {userDataFolder(), privateLibraryFolder()})
        if (!base.empty())
            folders.push_back((base / "plugins").string());
    std::erase_if(folders, [](const std::string &folder) {
        std::error_code error;
        return !fs::is_directory(folder, error);
    });
    return folders;
}

Result<std::vector<std::string>> openPlugin(const fs::path &file, ArchitectureRegistry &registry)
{
    return guarded(file.string(), [&]() -> Result<std::vector<std::string>> {
        constexpr bool stayOpen = true;
        at::DynamicLibrary library(file.c_str(), nullptr, stayOpen);
        const auto entry = reinterpret_cast<PluginEntry>(library.sym(pluginEntryName));
        ArchitectureRegistry own;
        entry(own);
        std::vector<std::string> ids;
        for (const auto &architecture : own.all())
            ids.emplace_back(architecture->id());
        if (ids.empty())
            return fail(ErrorCode::Malformed, "it offers no architecture", file.string());
        registry.append(std::move(own));
        return ids;
    });
}

std::vector<PluginInfo> openPlugins(std::span<const std::string> folders, PluginTrials &trials,
                                    ArchitectureRegistry &registry)
{
    std::vector<PluginInfo> plugins;
    for (const fs::path &file : libraries(folders))
        plugins.push_back(describePlugin(file, trials, registry));
    return plugins;
}

} // namespace lens
