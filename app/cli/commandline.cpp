#include "cli/commandline.h"

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/version.h"
#include "tensor/device.h"

#include <exception>
#include <iostream>
#include <unistd.h>

namespace lens::cli {

namespace {

std::string checkDevice(const std::string &text)
{
    const std::string_view number = text.rfind("cuda:", 0) == 0 ? std::string_view(text).substr(5) : "0";
    const bool isNumber = !number.empty() && number.size() < 4 && number.find_first_not_of("0123456789") == number.npos;
    const bool known = text == "auto" || text == "cpu" || text == "cuda" || text == "mps" || text == "meta" ||
                       (text.rfind("cuda:", 0) == 0 && isNumber);
    return known ? std::string() : "'" + text + "' is no device: auto, cpu, cuda, cuda:N, mps or meta";
}

/// The message on one line, whatever it contains.
void complain(const std::string &message)
{
    const std::string line = "supralens-cli: " + oneLine(message) + "\n";
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0)
        return;
}

} // namespace

CommandLine::CommandLine() : m_app("Looks inside language models while softmax attention is made recurrent.")
{
    m_app.name("supralens-cli");
    m_app.set_version_flag("--version", std::string("supralens-cli ") + version);
    m_app.require_subcommand(0, 1);
    m_app.get_formatter()->column_width(34);
    m_app.footer("MODEL is a path to a checkpoint or the name of an installed model; followed by @supra, @t2r or "
                 "@linear\nit is converted in memory. Exit status: 0 done, 1 failed, 2 wrong usage, 130 cancelled.");
    m_app.add_flag("--self-test", m_selfTest, "Check that this installation computes and stores correctly");
    addCommonOptions(m_app);
    addAllCommands(*this);
}

void CommandLine::addCommonOptions(CLI::App &app)
{
    app.add_option("--device", m_common.load.device, "auto, cpu, cuda, cuda:N, mps or meta")
        ->check(CLI::Validator(checkDevice, "", "device"))
        ->group("Everywhere");
    app.add_option("--dtype", m_common.load.dtype, "What to compute in: auto, float32, bfloat16, float16; or int8, int4: rounded weights")
        ->check(CLI::IsMember({"auto", "float32", "bfloat16", "float16", "int8", "int4"}, CLI::ignore_case).description(""))
        ->group("Everywhere");
    app.add_option("--threads", m_common.threads, "CPU threads; 0 takes all cores")
        ->check(CLI::Range(0, 4096).description(""))
        ->group("Everywhere");
    app.add_flag("--json", m_common.json, "One JSON document on stdout")->group("Everywhere");
}

CLI::App *CommandLine::addCommand(const std::string &name, const std::string &description, Work work)
{
    return addCommand(m_app, name, description, std::move(work));
}

CLI::App *CommandLine::addCommand(CLI::App &parent, const std::string &name, const std::string &description, Work work)
{
    CLI::App *command = parent.add_subcommand(name, description);
    addCommonOptions(*command);
    if (work)
        command->final_callback([this, work = std::move(work)] { m_work = work; });
    return command;
}

int CommandLine::parse(int argc, char **argv, bool &finished)
{
    finished = true;
    try {
        m_app.parse(argc, argv);
    } catch (const CLI::CallForHelp &) {
        std::cout << m_app.help() << std::flush;
        return static_cast<int>(Exit::Done);
    } catch (const CLI::CallForAllHelp &) {
        std::cout << m_app.help("", CLI::AppFormatMode::All) << std::flush;
        return static_cast<int>(Exit::Done);
    } catch (const CLI::CallForVersion &version) {
        std::cout << version.what() << std::endl;
        return static_cast<int>(Exit::Done);
    } catch (const CLI::ParseError &error) {
        complain(std::string(error.what()) + " (supralens-cli --help shows the usage)");
        return static_cast<int>(Exit::WrongUsage);
    }
    if (m_selfTest)
        m_work = runSelfTest;
    if (!m_work) {
        complain("say what to do (supralens-cli --help lists the commands)");
        return static_cast<int>(Exit::WrongUsage);
    }
    finished = false;
    return 0;
}

int CommandLine::perform()
{
    Interrupt interrupt;
    Console console([&interrupt] { interrupt.stop(); });
    openAccelerators();
    if (m_common.threads > 0)
        setThreadCount(m_common.threads);

    Environment environment{m_common, console, interrupt.token()};
    const Result<Exit> outcome = m_work(environment);
    console.clearProgress();

    if (console.readerIsGone() && !interrupt.interrupted())
        return static_cast<int>(Exit::Done);
    if (!console.writeError().empty()) {
        complain("standard output: cannot write: " + console.writeError() +
                 " (free some space or choose another place)");
        return static_cast<int>(Exit::Failed);
    }
    if (outcome)
        return static_cast<int>(*outcome);
    if (outcome.error().code == ErrorCode::Cancelled)
        return static_cast<int>(Exit::Cancelled);
    complain(toString(outcome.error()));
    return static_cast<int>(Exit::Failed);
}

int CommandLine::run(int argc, char **argv)
{
    try {
        bool finished = false;
        const int status = parse(argc, argv, finished);
        return finished ? status : perform();
    } catch (const std::exception &error) {
        complain(std::string("internal fault: ") + error.what() +
                 " (please report it with the command that caused it)");
        return static_cast<int>(Exit::Failed);
    }
}

} // namespace lens::cli
