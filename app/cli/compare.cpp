// supralens-cli compare
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/comparisonoutput.h"
#include "cli/format.h"
#include "cli/models.h"
#include "cli/recording.h"
#include "cli/report.h"

namespace lens::cli {

namespace {

struct Options {
    std::vector<std::string> models;
    PromptArguments prompt;
    std::string workspace;
    std::string report;
};

/// Several alternatives a token are cheap, and the report and the window show them.
constexpr int usualAlternatives = 5;

class Run {
public:
    Run(const Options &options, Environment &environment) : m_options(options), m_environment(environment) {}

    Result<Exit> operator()();

private:
    Result<void> loadModels();
    Result<void> runTurn(const std::string &prompt, const std::vector<TokenId> *ids);
    ColumnAnswer answer(std::size_t column, const std::string &prompt, const std::vector<TokenId> *ids);
    Result<GenerationResult> generate(std::size_t column, std::span<const TokenId> ids, ColumnAnswer &answer);
    Result<void> finish();
    bool streams() const { return !m_environment.options.json; }

    const Options &m_options;
    Environment &m_environment;
    Comparison m_comparison;
    std::vector<Dialogue> m_dialogues;
    std::vector<std::unique_ptr<DecodeSession>> m_sessions;
    std::unique_ptr<Recording> m_recording;
    std::optional<Error> m_failure;
};

Result<void> Run::loadModels()
{
    ModelLoader loader(m_environment);
    for (const std::string &typed : m_options.models) {
        const Result<LoadedModelPtr> model = loader.load(typed);
        if (!model)
            return propagate(model);
        m_comparison.columns.push_back({(*model)->info().name, *model});
        m_dialogues.emplace_back(*model, m_options.prompt);
        Result<std::unique_ptr<DecodeSession>> session = DecodeSession::create(*model);
        if (!session)
            return propagate(session);
        m_sessions.push_back(std::move(*session));
    }
    labelApart(m_comparison.columns);
    return {};
}

Result<GenerationResult> Run::generate(std::size_t column, std::span<const TokenId> ids, ColumnAnswer &answer)
{
    const LoadedModel &model = *m_comparison.columns[column].model;
    if (const Result<void> valid = checkIds(model.info(), ids); !valid)
        return propagate(valid);
    if (m_recording) {
        const Result<void> begun = m_recording->beginGeneration(column, model, m_comparison.options, ids);
        if (!begun)
            return propagate(begun);
    }
    GenerationCallbacks callbacks;
    callbacks.progress = m_environment.console.progress();
    callbacks.token = [&](const TokenEvent &event) {
        if (streams())
            m_environment.console.write(model.tokenizer() ? event.text : std::to_string(event.id) + " ");
        answer.events.push_back(event);
        if (m_recording)
            m_recording->token(event);
    };
    callbacks.stateNorms = [&](const HeadFrame &frame) {
        append(answer.norms, frame);
        if (m_recording)
            m_recording->norms(frame);
    };
    Result<GenerationResult> result =
        m_sessions[column]->generate(ids, m_comparison.options, callbacks, m_environment.stop);
    if (m_recording) {
        const Result<void> stored = m_recording->finishGeneration(result);
        if (!stored)
            return propagate(stored);
    }
    return result;
}

ColumnAnswer Run::answer(std::size_t column, const std::string &prompt, const std::vector<TokenId> *ids)
{
    ColumnAnswer answer;
    if (m_environment.stop.stop_requested()) {
        answer.error = "cancelled";
        return answer;
    }
    if (streams())
        m_environment.console.write(columnHeading(m_comparison.columns[column]));
    const Result<std::vector<TokenId>> asked = ids ? *ids : m_dialogues[column].ask(prompt);
    Result<GenerationResult> result = asked ? generate(column, *asked, answer) : propagate(asked);
    if (result) {
        m_dialogues[column].answered(*result);
        answer.result = std::move(*result);
        m_comparison.cancelled |= answer.result.reason == StopReason::Cancelled;
    } else {
        answer.error = toString(result.error());
        if (!m_failure)
            m_failure = result.error();
    }
    if (streams())
        m_environment.console.write(answer.error.empty() ? "\n\n" : "(" + answer.error + ")\n\n");
    return answer;
}

Result<void> Run::runTurn(const std::string &prompt, const std::vector<TokenId> *ids)
{
    ComparedTurn turn;
    turn.prompt = prompt;
    if (m_recording) {
        const Result<void> begun = m_recording->beginTurn(prompt);
        if (!begun)
            return begun;
    }
    if (streams())
        m_environment.console.write("> " + prompt + "\n\n");
    for (std::size_t column = 0; column < m_comparison.columns.size(); ++column)
        turn.answers.push_back(answer(column, prompt, ids));
    comparePairs(m_comparison.columns, turn, m_environment.stop, m_environment.console.progress());
    m_environment.console.clearProgress();
    if (m_recording) {
        for (const PairResult &pair : turn.pairs) {
            const Result<void> saved = m_recording->saveComparison(pair, turn.forcedIds);
            if (!saved)
                return saved;
        }
    }
    if (streams())
        m_environment.console.write(turnSummary(m_comparison, turn));
    m_comparison.turns.push_back(std::move(turn));
    return {};
}

Result<void> Run::finish()
{
    const bool wantsAttention = !m_options.report.empty() || m_environment.options.json;
    if (wantsAttention && !m_comparison.turns.empty() && !m_environment.stop.stop_requested())
        m_comparison.attention = measureAttention(m_comparison.columns, m_comparison.turns.back().forcedIds,
                                                  m_environment.stop, m_environment.console.progress());
    m_environment.console.clearProgress();
    if (m_environment.options.json) {
        Json document = toJson(m_comparison);
        document["workspace"] =
            m_recording ? Json{{"file", m_options.workspace}, {"session", m_recording->session()}} : Json();
        document["report"] = m_options.report.empty() ? Json() : Json(m_options.report);
        m_environment.console.writeJson(document);
    }
    if (!m_options.report.empty()) {
        const Result<void> written = writeReport(m_comparison, m_options.report);
        if (!written)
            return written;
        m_environment.console.remark("report: " + m_options.report);
    }
    if (m_recording)
        m_environment.console.remark("stored in " + m_options.workspace + " as session " +
                                     std::to_string(m_recording->session()));
    return {};
}

Result<Exit> Run::operator()()
{
    if (const Result<void> loaded = loadModels(); !loaded)
        return propagate(loaded);
    m_comparison.options = m_options.prompt.generation;
    m_comparison.options.alternatives = m_options.prompt.logprobs.value_or(usualAlternatives);
    m_comparison.system = m_options.prompt.system;
    m_comparison.chat = m_options.prompt.chat;

    std::vector<std::string> prompts = m_options.prompt.prompts;
    std::vector<TokenId> ids;
    const bool fromIds = m_options.prompt.idsOption->count() > 0;
    if (fromIds) {
        const Result<TokenBatch> batch = readTokenBatch(m_options.prompt.idsFile);
        if (!batch)
            return propagate(batch);
        if (batch->rows > 1)
            m_environment.console.remark(m_options.prompt.idsFile + ": the first of its rows is compared");
        ids.assign(batch->row(0).begin(), batch->row(0).end());
        prompts = {"ids of " + m_options.prompt.idsFile};
    }
    if (!m_options.workspace.empty()) {
        Result<std::unique_ptr<Recording>> recording =
            Recording::begin(m_options.workspace, sessionTitle(prompts.front()), m_comparison.columns,
                             m_environment.options, m_comparison);
        if (!recording)
            return propagate(recording);
        m_recording = std::move(*recording);
    }
    for (const std::string &prompt : prompts) {
        if (const Result<void> done = runTurn(prompt, fromIds ? &ids : nullptr); !done)
            return propagate(done);
        if (m_environment.stop.stop_requested() || m_failure)
            break;
    }
    if (const Result<void> finished = finish(); !finished)
        return propagate(finished);
    if (m_failure)
        return tl::unexpected<Error>(*m_failure);
    return m_environment.stop.stop_requested() ? Exit::Cancelled : Exit::Done;
}

} // namespace

void addCompare(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("compare", "Several models on one prompt, and what sets them apart",
                                        [options](Environment &environment) { return Run(*options, environment)(); });
    command->add_option("models", options->models, "Two or more models; MODEL@supra is MODEL converted")
        ->required()
        ->expected(2, 16)
        ->option_text("MODEL MODEL...");
    addPromptOptions(*command, options->prompt, true);
    command->add_option("--workspace", options->workspace, "Store it in this workspace, as a session")
        ->option_text("FILE.db");
    command->add_option("--report", options->report, "Write an HTML report with charts")->option_text("OUT.html");
}

} // namespace lens::cli
