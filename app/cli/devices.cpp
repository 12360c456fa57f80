// supralens-cli devices
#include "tensor/device.h"

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"

namespace lens::cli {

namespace {

Result<Exit> run(Environment &environment)
{
    const std::string note = openAccelerators();
    std::vector<std::vector<std::string>> rows = {{"device", "description", "memory", "available"}};
    Json list = Json::array();
    for (const DeviceInfo &device : availableDevices()) {
        rows.push_back({toString(device.device), device.description,
                        device.totalMemory > 0 ? bytes(device.totalMemory) : "",
                        device.availableMemory > 0 ? bytes(device.availableMemory) : ""});
        list.push_back({{"device", toString(device.device)},
                        {"description", device.description},
                        {"total_memory", device.totalMemory},
                        {"available_memory", device.availableMemory}});
    }
    if (environment.options.json)
        environment.console.writeJson({{"devices", std::move(list)}, {"note", note}});
    else
        environment.console.write(table(rows));
    if (!note.empty() && !environment.options.json)
        environment.console.remark(note);
    return Exit::Done;
}

} // namespace

void addDevices(CommandLine &line)
{
    line.addCommand("devices", "What a model can run on here", run);
}

} // namespace lens::cli
