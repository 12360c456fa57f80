// supralens-cli plugins
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/plugintable.h"

namespace lens::cli {

namespace {

Result<Exit> run(Environment &environment)
{
    const std::vector<PluginInfo> plugins = listPlugins();
    if (environment.options.json)
        environment.console.writeJson({{"folders", standardPluginFolders()}, {"plugins", toJson(plugins)}});
    else if (plugins.empty())
        environment.console.write("There are no plugins.\n");
    else
        environment.console.write(table(rowsOf(plugins)));
    return Exit::Done;
}

} // namespace

void addPlugins(CommandLine &line)
{
    line.addCommand("plugins", "Further architecture families, and why one cannot be used", run);
}

} // namespace lens::cli
