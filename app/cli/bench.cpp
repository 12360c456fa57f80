// supralens-cli bench
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"

#include <algorithm>

namespace lens::cli {

namespace {

struct Options {
    std::vector<std::string> models;
    std::int64_t promptTokens = 512;
    std::int64_t newTokens = 128;
    std::vector<std::int64_t> depths = {0};
    int repeat = 5;
    bool plainPath = false;
};

struct Spread {
    double median = 0, least = 0, most = 0;
};

struct DepthResult {
    std::int64_t depth = 0;
    std::int64_t tokens = 0;
    Spread rate;
    std::uint64_t stateBytes = 0;
};

struct ModelResult {
    LoadedModelPtr model;
    Spread prefillRate, firstToken;
    std::vector<DepthResult> depths;
};

Spread spread(std::vector<double> values)
{
    if (values.empty())
        return {};
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {median, values.front(), values.back()};
}

/// The same ids for every run: what they say does not matter, that they differ does.
std::vector<TokenId> someIds(std::int64_t count, std::int64_t vocabulary)
{
    std::vector<TokenId> ids;
    std::uint64_t random = 1;
    for (std::int64_t i = 0; i < count; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        ids.push_back(static_cast<TokenId>((random >> 33) % static_cast<std::uint64_t>(vocabulary)));
    }
    return ids;
}

class Bench {
public:
    Bench(const Options &options, Environment &environment) : m_options(options), m_environment(environment) {}

    Result<ModelResult> measure(const LoadedModelPtr &model);

private:
    Result<GenerationResult> generate(DecodeSession &session, std::span<const TokenId> ids, std::int64_t tokens);
    Result<void> prefill(DecodeSession &session, ModelResult &result);
    Result<DepthResult> decode(DecodeSession &session, std::int64_t depth);

    const Options &m_options;
    Environment &m_environment;
};

Result<GenerationResult> Bench::generate(DecodeSession &session, std::span<const TokenId> ids, std::int64_t tokens)
{
    GenerationOptions options;
    options.maxTokens = tokens;
    options.alternatives = 0;
    options.ignoreEndOfText = true;
    options.plainPath = m_options.plainPath;
    Result<GenerationResult> result = session.generate(ids, options, {}, m_environment.stop);
    if (result && result->reason == StopReason::Cancelled)
        return fail(ErrorCode::Cancelled, "stopped", "bench");
    return result;
}

Result<void> Bench::prefill(DecodeSession &session, ModelResult &result)
{
    const std::vector<TokenId> ids = someIds(m_options.promptTokens, result.model->info().vocabulary);
    std::vector<double> rates, firsts;
    // The first round warms caches and is not counted.
    for (int round = 0; round <= m_options.repeat; ++round) {
        session.clear();
        const Result<GenerationResult> run = generate(session, ids, 1);
        if (!run)
            return propagate(run);
        if (round == 0 || run->prefillSeconds <= 0)
            continue;
        rates.push_back(static_cast<double>(ids.size()) / run->prefillSeconds);
        firsts.push_back(run->firstTokenSeconds);
    }
    result.prefillRate = spread(rates);
    result.firstToken = spread(firsts);
    return {};
}

Result<DepthResult> Bench::decode(DecodeSession &session, std::int64_t depth)
{
    DepthResult result;
    result.depth = depth;
    const std::vector<TokenId> ids = someIds(std::max<std::int64_t>(depth, 1), session.model()->info().vocabulary);
    session.clear();
    std::vector<double> rates;
    for (int round = 0; round <= m_options.repeat; ++round) {
        const Result<GenerationResult> run = generate(session, ids, round == 0 ? 1 : m_options.newTokens);
        if (!run)
            return propagate(run);
        if (round == 0)
            continue;
        result.tokens = static_cast<std::int64_t>(run->ids.size());
        result.stateBytes = run->stateBytes;
        if (run->tokensPerSecond() > 0)
            rates.push_back(run->tokensPerSecond());
    }
    result.rate = spread(rates);
    return result;
}

Result<ModelResult> Bench::measure(const LoadedModelPtr &model)
{
    ModelResult result;
    result.model = model;
    Result<std::unique_ptr<DecodeSession>> session = DecodeSession::create(model);
    if (!session)
        return propagate(session);
    const ProgressFn progress = m_environment.console.progress();
    const std::uint64_t steps = m_options.depths.size() + 1;
    if (progress)
        progress({model->info().name + ": prefill", 0, steps});
    if (const Result<void> done = prefill(**session, result); !done)
        return propagate(done);
    for (std::size_t i = 0; i < m_options.depths.size(); ++i) {
        if (progress)
            progress({model->info().name + ": decode", i + 1, steps});
        Result<DepthResult> depth = decode(**session, m_options.depths[i]);
        if (!depth)
            return propagate(depth);
        result.depths.push_back(std::move(*depth));
    }
    m_environment.console.clearProgress();
    return result;
}

std::string rateText(const Spread &spread)
{
    return fixed(spread.median, 1) + " (" + fixed(spread.least, 1) + " to " + fixed(spread.most, 1) + ")";
}

std::string print(const std::vector<ModelResult> &results, const Options &options)
{
    std::vector<std::vector<std::string>> rows = {
        {"model", "what", "tokens/s, median (range)", "first token", "memory"}};
    for (const ModelResult &result : results) {
        const std::string &name = result.model->info().name;
        rows.push_back({name, "prefill of " + std::to_string(options.promptTokens), rateText(result.prefillRate),
                        duration(result.firstToken.median), ""});
        for (const DepthResult &depth : result.depths)
            rows.push_back(
                {name, "decode at " + std::to_string(depth.depth), rateText(depth.rate), "", bytes(depth.stateBytes)});
    }
    return table(rows);
}

Json spreadJson(const Spread &spread)
{
    return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
}

Json document(const std::vector<ModelResult> &results, const Options &options, const CommonOptions &common)
{
    Json models = Json::array();
    for (const ModelResult &result : results) {
        Json decode = Json::array();
        for (const DepthResult &depth : result.depths)
            decode.push_back({{"at", depth.depth},
                              {"new_tokens", depth.tokens},
                              {"tokens_per_second", spreadJson(depth.rate)},
                              {"state_bytes", depth.stateBytes}});
        models.push_back(
            {{"model", toJson(result.model->info())},
             {"prefill", {{"tokens", options.promptTokens}, {"tokens_per_second", spreadJson(result.prefillRate)}}},
             {"first_token_seconds", spreadJson(result.firstToken)},
             {"decode", std::move(decode)}});
    }
    return {{"repeat", options.repeat}, {"threads", common.threads}, {"models", std::move(models)}};
}

Result<Exit> run(const Options &options, Environment &environment)
{
    ModelLoader loader(environment);
    std::vector<ModelResult> results;
    Exit exit = Exit::Done;
    for (const std::string &typed : options.models) {
        const Result<LoadedModelPtr> model = loader.load(typed);
        if (!model)
            return propagate(model);
        Result<ModelResult> result = Bench(options, environment).measure(*model);
        if (!result && result.error().code == ErrorCode::Cancelled) {
            exit = Exit::Cancelled;
            break;
        }
        if (!result)
            return propagate(result);
        results.push_back(std::move(*result));
    }
    if (environment.options.json)
        environment.console.writeJson(document(results, options, environment.options));
    else
        environment.console.write(print(results, options));
    return exit;
}

} // namespace

void addBench(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("bench", "Speed and memory",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("models", options->models, "Models")->required()->option_text("MODEL...");
    command->add_option("--prompt-tokens", options->promptTokens, "Tokens of the prompt for prefill")
        ->check(CLI::Range(1, 1 << 24).description(""))
        ->capture_default_str();
    command->add_option("--new-tokens", options->newTokens, "Tokens to decode")
        ->check(CLI::Range(2, 1 << 24).description(""))
        ->capture_default_str();
    command->add_option("--at", options->depths, "Depths at which to decode, with commas")
        ->delimiter(',')
        ->check(CLI::Range(0, 1 << 24).description(""))
        ->option_text("LIST");
    command->add_flag("--plain-path", options->plainPath, "Without the fused path for single tokens");
    command->add_option("--repeat", options->repeat, "Rounds")
        ->check(CLI::Range(1, 1000).description(""))
        ->capture_default_str();
}

} // namespace lens::cli
