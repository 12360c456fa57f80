// supralens-cli --self-test
#include "engine/selfcheck.h"

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/plugintable.h"
#include "cli/version.h"
#include "store/workspace.h"
#include "tensor/device.h"

#include <cstdlib>
#include <filesystem>

namespace lens::cli {

namespace {

namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "supralens-XXXXXX").string();
        if (!error && ::mkdtemp(name.data()))
            m_path = name;
    }
    ~TemporaryFolder()
    {
        std::error_code ignored;
        if (!m_path.empty())
            fs::remove_all(m_path, ignored);
    }
    TemporaryFolder(const TemporaryFolder &) = delete;
    TemporaryFolder &operator=(const TemporaryFolder &) = delete;

    const std::string &path() const { return m_path; }

private:
    std::string m_path;
};

Result<void> checkWorkspace(const std::string &file)
{
    for (int opening = 0; opening < 2; ++opening) {
        const Result<std::unique_ptr<Workspace>> workspace = Workspace::open(file);
        if (!workspace)
            return propagate(workspace);
        if (opening == 0) {
            const Result<RowId> session = (*workspace)->sessions().create("self-test", {});
            if (!session)
                return propagate(session);
            continue;
        }
        const Result<std::int64_t> count = (*workspace)->sessions().count(SessionFilter::Active);
        if (!count)
            return propagate(count);
        const Result<std::vector<std::string>> faults = (*workspace)->check();
        if (!faults)
            return propagate(faults);
        if (*count != 1 || !faults->empty())
            return fail(ErrorCode::Internal, "a workspace did not keep what was stored", file);
    }
    return {};
}

} // namespace

Result<Exit> runSelfTest(Environment &environment)
{
    const TemporaryFolder folder;
    if (folder.path().empty())
        return fail(ErrorCode::Io, "no temporary folder can be made", "self-test", "check TMPDIR and free space");
    const Result<std::vector<FormCheck>> forms = checkForms(folder.path(), environment.stop);
    if (!forms)
        return propagate(forms);
    const Result<void> workspace = checkWorkspace(folder.path() + "/self-test.db");

    const std::vector<PluginInfo> plugins = listPlugins();
    bool passed = workspace.has_value();
    std::vector<std::vector<std::string>> rows = {{"check", "result", "largest difference"}};
    Json checks = Json::array();
    for (const FormCheck &form : *forms) {
        passed = passed && form.passed;
        rows.push_back({"forms of " + form.model, form.passed ? "passed" : "FAILED", significant(form.difference)});
        checks.push_back(
            {{"check", "forms of " + form.model}, {"passed", form.passed}, {"difference", form.difference}});
    }
    rows.push_back({"workspace", workspace ? "passed" : "FAILED: " + oneLine(toString(workspace.error())), ""});
    checks.push_back({{"check", "workspace"}, {"passed", workspace.has_value()}});
    if (environment.options.json)
        environment.console.writeJson({{"version", version},
                                       {"workspace_format", currentSchemaVersion()},
                                       {"accelerators", openAccelerators()},
                                       {"passed", passed},
                                       {"checks", std::move(checks)},
                                       {"plugins", toJson(plugins)}});
    else
        environment.console.write(std::string("supralens-cli ") + version + ", workspace format " +
                                  std::to_string(currentSchemaVersion()) + ", " + openAccelerators() + "\n\n" +
                                  table(rows) +
                                  (plugins.empty() ? std::string() : "\n" + table(rowsOf(plugins))));
    if (!passed)
        return fail(ErrorCode::Internal, "this installation does not compute or store correctly", "self-test",
                    "install it again; if that does not help, report it with this output");
    return Exit::Done;
}

} // namespace lens::cli
