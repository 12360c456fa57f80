// One function a command; each adds itself to the command line.
#pragma once

#include "cli/commandline.h"

namespace lens::cli {

void addInfo(CommandLine &line);
void addTokenize(CommandLine &line);
void addGenerate(CommandLine &line);
void addCompare(CommandLine &line);
void addDump(CommandLine &line);
void addProbe(CommandLine &line);
void addConvert(CommandLine &line);
void addUptrain(CommandLine &line);
void addTrainTokenizer(CommandLine &line);
void addSample(CommandLine &line);
void addBench(CommandLine &line);
void addWorkspace(CommandLine &line);
void addDevices(CommandLine &line);
void addPlugins(CommandLine &line);

inline void addAllCommands(CommandLine &line)
{
    for (const auto add : {addInfo, addTokenize, addGenerate, addCompare, addDump, addProbe, addConvert, addUptrain,
                           addTrainTokenizer, addSample, addBench, addWorkspace, addDevices, addPlugins})
        add(line);
}

/// Behind --self-test.
Result<Exit> runSelfTest(Environment &environment);

} // namespace lens::cli
