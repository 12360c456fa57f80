// The program: common options, the commands, and how what they return becomes an exit status.
#pragma once

#include "base/result.h"
#include "cli/console.h"
#include "engine/engine.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <stop_token>
#include <string>

namespace lens::cli {

enum class Exit { Done = 0, Failed = 1, WrongUsage = 2, Cancelled = 130 };

/// Options that every command takes.
struct CommonOptions {
    LoadOptions load;
    int threads = 0;
    bool json = false;
};

/// What a command works with.
struct Environment {
    const CommonOptions &options;
    Console &console;
    std::stop_token stop;
};

/// A command's work. Cancelled work that keeps partial results returns Exit::Cancelled; an error with
/// ErrorCode::Cancelled comes to the same.
using Work = std::function<Result<Exit>(Environment &)>;

class CommandLine {
public:
    CommandLine();

    /// A subcommand with the common options; `work` runs when it was asked for and everything was parsed.
    CLI::App *addCommand(const std::string &name, const std::string &description, Work work);

    /// The same below another subcommand.
    CLI::App *addCommand(CLI::App &parent, const std::string &name, const std::string &description, Work work);

    int run(int argc, char **argv);

private:
    void addCommonOptions(CLI::App &app);
    int parse(int argc, char **argv, bool &finished);
    int perform();

    CLI::App m_app;
    CommonOptions m_common;
    bool m_selfTest = false;
    Work m_work;
};

} // namespace lens::cli
