#include "cli/plugintable.h"

#include "cli/format.h"

namespace lens::cli {

namespace {

std::string joined(const std::vector<std::string> &parts)
{
    std::string text;
    for (const std::string &part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

} // namespace

std::vector<std::vector<std::string>> rowsOf(const std::vector<PluginInfo> &plugins)
{
    std::vector<std::vector<std::string>> rows = {{"plugin", "version", "architectures", "state"}};
    for (const PluginInfo &plugin : plugins) {
        const bool usable = plugin.state == PluginInfo::State::Usable;
        rows.push_back({plugin.name, plugin.version, joined(plugin.architectures),
                        usable ? plugin.summary : "cannot be used: " + oneLine(plugin.reason)});
    }
    return rows;
}

Json toJson(const std::vector<PluginInfo> &plugins)
{
    Json list = Json::array();
    for (const PluginInfo &plugin : plugins)
        list.push_back({{"name", plugin.name},
                        {"version", plugin.version},
                        {"summary", plugin.summary},
                        {"file", plugin.file},
                        {"architectures", plugin.architectures},
                        {"usable", plugin.state == PluginInfo::State::Usable},
                        {"reason", plugin.reason}});
    return list;
}

} // namespace lens::cli
