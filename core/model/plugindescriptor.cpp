#include "model/plugindescriptor.h"

#include "model/plugin.h"
#include "tensor/mappedfile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr std::size_t longestDescriptor = 4096;

/// In two parts, or a program that links this file would be taken for a plugin itself.
std::string marker()
{
    return std::string("supralens-plugin-") + "descriptor:{";
}

std::string textOf(const nlohmann::json &object, const char *key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

Result<PluginDescriptor> readPluginDescriptor(const std::filesystem::path &file)
{
    const auto mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const std::string_view bytes(reinterpret_cast<const char *>((*mapped)->bytes().data()), (*mapped)->bytes().size());
    const std::string wanted = marker();
    const auto refused = [&] {
        return fail(ErrorCode::Malformed, "this is not a SUPRA Lens plugin: it has no descriptor", file.string(),
                    "remove the file, or build the plugin again with SUPRALENS_PLUGIN in it");
    };
    const std::size_t at = bytes.find(wanted);
    if (at == std::string_view::npos)
        return refused();
    const std::string_view rest = bytes.substr(at + wanted.size() - 1, longestDescriptor);
    const nlohmann::json object = nlohmann::json::parse(rest.substr(0, rest.find('\0')), nullptr, false);
    if (!object.is_object())
        return refused();
    PluginDescriptor descriptor;
    if (const auto number = object.find("interface"); number != object.end() && number->is_number_integer())
        descriptor.interface = number->get<std::int64_t>();
    descriptor.libTorch = textOf(object, "libtorch");
    descriptor.name = textOf(object, "name");
    descriptor.version = textOf(object, "version");
    descriptor.summary = textOf(object, "summary");
    return descriptor;
}

Result<void> checkCompatible(const PluginDescriptor &descriptor, const std::filesystem::path &file)
{
    const auto refused = [&](const std::string &what) {
        return fail(ErrorCode::Mismatch, what, file.string(), "install the plugin's release for this version of SUPRA Lens");
    };
    if (descriptor.interface != SUPRALENS_PLUGIN_INTERFACE)
        return refused("the plugin was built for plugin interface " + std::to_string(descriptor.interface)
                       + ", this program has " + std::to_string(SUPRALENS_PLUGIN_INTERFACE));
    if (descriptor.libTorch != TORCH_VERSION)
        return refused("the plugin was built with LibTorch " + descriptor.libTorch + ", this program with " TORCH_VERSION);
    return {};
}

} // namespace lens
