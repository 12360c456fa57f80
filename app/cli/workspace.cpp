// supralens-cli workspace
#include "store/workspace.h"

#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"
#include "store/transfer.h"

#include <array>
#include <ctime>

namespace lens::cli {

namespace {

struct Options {
    std::string file;
    RowId session = 0;
    std::string query, out, document;
    std::string format = "json";
    std::int64_t limit = 100;
    bool archived = false, deleted = false, probes = false;
};

using Action = Result<Exit> (*)(const Options &, Workspace &, Environment &);

std::string timeText(Milliseconds time)
{
    const auto seconds = static_cast<std::time_t>(time / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 40> buffer;
    return std::string(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &parts));
}

std::string joined(const std::vector<std::string> &parts)
{
    std::string text;
    for (const std::string &part : parts)
        text += (text.empty() ? "" : ", ") + oneLine(part);
    return text;
}

Result<Exit> list(const Options &options, Workspace &workspace, Environment &environment)
{
    const SessionFilter filter = options.deleted    ? SessionFilter::Deleted
                                 : options.archived ? SessionFilter::Archived
                                                    : SessionFilter::Active;
    const Result<std::vector<SessionSummary>> sessions = workspace.sessions().list({filter, 0, options.limit});
    if (!sessions)
        return propagate(sessions);
    std::vector<std::vector<std::string>> rows = {{"id", "changed (UTC)", "turns", "title", "models"}};
    Json json = Json::array();
    for (const SessionSummary &summary : *sessions) {
        const SessionRow &session = summary.session;
        rows.push_back({std::to_string(session.id), timeText(session.modified), std::to_string(summary.turns),
                        oneLine(session.title), joined(summary.models)});
        json.push_back({{"id", session.id},
                        {"title", session.title},
                        {"created", session.created},
                        {"modified", session.modified},
                        {"turns", summary.turns},
                        {"models", summary.models},
                        {"first_prompt", summary.firstPrompt}});
    }
    if (environment.options.json)
        environment.console.writeJson({{"sessions", std::move(json)}});
    else
        environment.console.write(table(rows));
    return Exit::Done;
}

std::string perplexityText(double perplexity)
{
    return perplexity > 0 ? fixed(perplexity, 2) : "-";
}

Result<Exit> runs(const Options &, Workspace &workspace, Environment &environment)
{
    const Result<std::vector<TrainingRunRow>> found = workspace.training().list();
    if (!found)
        return propagate(found);
    std::vector<std::vector<std::string>> rows = {{"id", "begun (UTC)", "state", "steps", "perplexity", "original", "name", "folder"}};
    Json json = Json::array();
    for (const TrainingRunRow &run : *found) {
        rows.push_back({std::to_string(run.id), timeText(run.started), name(run.status),
                        std::to_string(run.lastStep) + "/" + std::to_string(run.totalSteps), perplexityText(run.perplexity),
                        perplexityText(run.originalPerplexity), oneLine(run.name), oneLine(run.folder)});
        json.push_back({{"id", run.id},
                        {"name", run.name},
                        {"folder", run.folder},
                        {"started", run.started},
                        {"finished", run.finished},
                        {"status", name(run.status)},
                        {"message", run.message},
                        {"steps", run.lastStep},
                        {"total_steps", run.totalSteps},
                        {"perplexity", run.perplexity},
                        {"original_perplexity", run.originalPerplexity},
                        {"notes", run.notes}});
    }
    if (environment.options.json)
        environment.console.writeJson({{"runs", std::move(json)}});
    else
        environment.console.write(table(rows));
    return Exit::Done;
}

Result<Exit> show(const Options &options, Workspace &workspace, Environment &environment)
{
    const Result<std::string> text = environment.options.json
                                         ? exportSessionJson(workspace, options.session, {.tokens = false})
                                         : exportSessionMarkdown(workspace, options.session);
    if (!text)
        return propagate(text);
    environment.console.write(*text + (text->ends_with('\n') ? "" : "\n"));
    return Exit::Done;
}

Result<Exit> search(const Options &options, Workspace &workspace, Environment &environment)
{
    const Result<std::vector<SearchHit>> hits = workspace.search().find(options.query, options.limit);
    if (!hits)
        return propagate(hits);
    std::vector<std::vector<std::string>> rows = {{"session", "found in", "title", "text"}};
    Json json = Json::array();
    for (const SearchHit &hit : *hits) {
        std::string plain, marked;
        for (const SnippetPiece &piece : hit.snippet) {
            plain += piece.text;
            marked += piece.match ? "[" + piece.text + "]" : piece.text;
        }
        rows.push_back({std::to_string(hit.session), name(hit.kind), oneLine(hit.sessionTitle), oneLine(marked)});
        json.push_back({{"session", hit.session},
                        {"kind", name(hit.kind)},
                        {"turn", hit.turn},
                        {"generation", hit.generation},
                        {"title", hit.sessionTitle},
                        {"snippet", plain}});
    }
    if (environment.options.json)
        environment.console.writeJson({{"hits", std::move(json)}});
    else
        environment.console.write(table(rows));
    return Exit::Done;
}

Result<Exit> exportSession(const Options &options, Workspace &workspace, Environment &environment)
{
    const Result<std::string> text =
        options.format == "markdown"
            ? exportSessionMarkdown(workspace, options.session)
            : exportSessionJson(workspace, options.session, {.tokens = true, .probes = options.probes});
    if (!text)
        return propagate(text);
    if (options.out.empty()) {
        environment.console.write(*text + (text->ends_with('\n') ? "" : "\n"));
        return Exit::Done;
    }
    if (const Result<void> written = writeFileAtomically(options.out, *text); !written)
        return propagate(written);
    if (environment.options.json)
        environment.console.writeJson({{"session", options.session}, {"out", options.out}});
    return Exit::Done;
}

Result<Exit> check(const Options &, Workspace &workspace, Environment &environment)
{
    const Result<std::vector<std::string>> faults = workspace.check();
    if (!faults)
        return propagate(faults);
    if (environment.options.json) {
        environment.console.writeJson(
            {{"file", workspace.path()}, {"schema_version", workspace.schemaVersion()}, {"faults", *faults}});
    } else {
        for (const std::string &fault : *faults)
            environment.console.write(oneLine(fault) + "\n");
        if (faults->empty())
            environment.console.write("no faults\n");
    }
    if (faults->empty())
        return Exit::Done;
    return fail(ErrorCode::Malformed, std::to_string(faults->size()) + " faults", workspace.path(),
                "export what can be read, and keep a copy of the file");
}

Result<Exit> import(const Options &options, Workspace &workspace, Environment &environment)
{
    const Result<std::string> document = readTextFile(options.document);
    if (!document)
        return propagate(document);
    const Result<RowId> session = importSessionJson(workspace, *document);
    if (!session)
        return propagate(session);
    if (environment.options.json)
        environment.console.writeJson({{"session", *session}});
    else
        environment.console.write("session " + std::to_string(*session) + "\n");
    return Exit::Done;
}

Work working(const std::shared_ptr<Options> &options, Action action, bool writes)
{
    return [options, action, writes](Environment &environment) -> Result<Exit> {
        WorkspaceOptions wanted;
        wanted.readOnly = !writes;
        wanted.create = writes;
        const Result<std::unique_ptr<Workspace>> workspace = Workspace::open(options->file, wanted);
        if (!workspace)
            return propagate(workspace);
        return action(*options, **workspace, environment);
    };
}

} // namespace

void addWorkspace(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *workspace = line.addCommand("workspace", "What was asked, answered and measured", nullptr);
    workspace->add_option("file", options->file, "The workspace")->required()->option_text("FILE.db");
    workspace->require_subcommand(1);
    const auto session = [&](CLI::App *command) {
        command->add_option("session", options->session, "Id of the session")->required()->option_text("ID");
    };
    const auto limit = [&](CLI::App *command) {
        command->add_option("--limit", options->limit, "At most so many")
            ->check(CLI::Range(1, 1 << 30).description(""))
            ->capture_default_str();
    };
    CLI::App *lister = line.addCommand(*workspace, "list", "Sessions, newest first", working(options, list, false));
    lister->add_flag("--archived", options->archived, "Those in the archive");
    lister->add_flag("--deleted", options->deleted, "Those in the bin")->excludes("--archived");
    limit(lister);
    line.addCommand(*workspace, "runs", "Training runs, newest first", working(options, runs, false));
    session(line.addCommand(*workspace, "show", "A session as text", working(options, show, false)));
    CLI::App *finder = line.addCommand(*workspace, "search", "Find words in titles, prompts and answers",
                                       working(options, search, false));
    finder->add_option("query", options->query, "Words; \"in quotes\" they must follow each other")
        ->required()
        ->option_text("QUERY");
    limit(finder);
    CLI::App *exporter =
        line.addCommand(*workspace, "export", "A session as a document", working(options, exportSession, false));
    session(exporter);
    exporter->add_option("--format", options->format, "json or markdown")
        ->check(CLI::IsMember({"json", "markdown"}).description(""))
        ->capture_default_str();
    exporter->add_option("--out", options->out, "The file to write; without it, stdout")->option_text("FILE");
    exporter->add_flag("--probes", options->probes, "With measurements (JSON only)");
    line.addCommand(*workspace, "check", "Examine the whole file", working(options, check, false));
    CLI::App *importer =
        line.addCommand(*workspace, "import", "Add an exported session", working(options, import, true));
    importer->add_option("document", options->document, "The JSON document")->required()->option_text("FILE.json");
}

} // namespace lens::cli
