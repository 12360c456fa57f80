// supralens-cli generate
#include "cli/commands.h"
#include "cli/comparisonoutput.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"
#include "cli/prompting.h"

namespace lens::cli {

namespace {

struct Options {
    std::string model;
    PromptArguments prompt;
};

struct Generation {
    GenerationResult result;
    std::vector<TokenEvent> events;
};

std::string probabilities(const std::vector<TokenEvent> &events)
{
    std::vector<std::vector<std::string>> rows = {{"id", "text", "logprob", "alternatives"}};
    for (const TokenEvent &event : events) {
        std::string others;
        for (const TokenAlternative &other : event.alternatives)
            others += (others.empty() ? "" : "   ") + oneLine(other.text) + " " + fixed(other.logprob, 3);
        rows.push_back({std::to_string(event.id), "'" + oneLine(event.text) + "'", fixed(event.logprob, 4), others});
    }
    return table(rows);
}

std::string summary(const GenerationResult &result, const ModelInfo &info)
{
    return countOf(result.ids.size(), "token") + ", " + rateOf(result) + " tokens/s, first after " +
           duration(result.firstTokenSeconds) + ", prompt of " + std::to_string(result.promptIds.size()) + " in " +
           duration(result.prefillSeconds) + ", " + (info.isRecurrent() ? "state " : "KV cache ") +
           bytes(result.stateBytes) + ", " + name(result.reason);
}

std::string idList(const std::vector<TokenId> &ids)
{
    std::string text;
    for (const TokenId id : ids)
        text += (text.empty() ? "" : " ") + std::to_string(id);
    return text;
}

Result<Generation> generateOne(const LoadedModelPtr &model, std::span<const TokenId> ids, const Options &options,
                               Environment &environment)
{
    if (const Result<void> valid = checkIds(model->info(), ids); !valid)
        return propagate(valid);
    Result<std::unique_ptr<DecodeSession>> session = DecodeSession::create(model);
    if (!session)
        return propagate(session);
    const bool stream = !environment.options.json && model->tokenizer();
    Generation generation;
    GenerationCallbacks callbacks;
    callbacks.progress = environment.console.progress();
    callbacks.token = [&](const TokenEvent &event) {
        if (stream && !event.text.empty())
            environment.console.write(event.text);
        if (options.prompt.logprobs)
            generation.events.push_back(event);
    };
    GenerationOptions wanted = options.prompt.generation;
    wanted.alternatives = options.prompt.logprobs.value_or(0);
    Result<GenerationResult> result = (*session)->generate(ids, wanted, callbacks, environment.stop);
    if (!result)
        return propagate(result);
    generation.result = std::move(*result);
    return generation;
}

Json document(const Generation &generation, const Options &options, const LoadedModel &model)
{
    Json json = {{"model", model.info().path}, {"name", model.info().name}};
    json.update(toJson(generation.result));
    json["options"] = toJson(options.prompt.generation);
    if (options.prompt.logprobs) {
        Json tokens = Json::array();
        for (const TokenEvent &event : generation.events)
            tokens.push_back(toJson(event));
        json["logprobs"] = std::move(tokens);
    }
    return json;
}

Result<std::vector<std::vector<TokenId>>> promptIds(const LoadedModelPtr &model, const Options &options)
{
    std::vector<std::vector<TokenId>> rows;
    if (options.prompt.idsOption->count() > 0) {
        const Result<TokenBatch> batch = readTokenBatch(options.prompt.idsFile);
        if (!batch)
            return propagate(batch);
        for (std::int64_t row = 0; row < batch->rows; ++row)
            rows.emplace_back(batch->row(row).begin(), batch->row(row).end());
        return rows;
    }
    Dialogue dialogue(model, options.prompt);
    Result<std::vector<TokenId>> ids = dialogue.ask(options.prompt.prompts.front());
    if (!ids)
        return propagate(ids);
    rows.push_back(std::move(*ids));
    return rows;
}

void print(const Generation &generation, const LoadedModel &model, Environment &environment)
{
    const bool streamed = static_cast<bool>(model.tokenizer());
    environment.console.write((streamed ? "" : idList(generation.result.ids)) + "\n");
    if (!generation.events.empty())
        environment.console.write("\n" + probabilities(generation.events));
    environment.console.remark(summary(generation.result, model.info()));
}

Result<Exit> run(const Options &options, Environment &environment)
{
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(options.model);
    if (!model)
        return propagate(model);
    const Result<std::vector<std::vector<TokenId>>> rows = promptIds(*model, options);
    if (!rows)
        return propagate(rows);

    Json documents = Json::array();
    Exit exit = Exit::Done;
    for (const std::vector<TokenId> &ids : *rows) {
        const Result<Generation> generation = generateOne(*model, ids, options, environment);
        if (!generation)
            return propagate(generation);
        if (environment.options.json)
            documents.push_back(document(*generation, options, **model));
        else
            print(*generation, **model, environment);
        if (generation->result.reason == StopReason::Cancelled) {
            exit = Exit::Cancelled;
            break;
        }
    }
    if (environment.options.json)
        environment.console.writeJson(rows->size() == 1 ? documents.front() : Json{{"generations", documents}});
    return exit;
}

} // namespace

void addGenerate(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("generate", "Continue a prompt",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model")->required()->option_text("MODEL");
    addPromptOptions(*command, options->prompt, false);
}

} // namespace lens::cli
