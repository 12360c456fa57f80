// supralens-cli sample
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"
#include "cli/sampleplan.h"
#include "corpus/lineappender.h"
#include "engine/batchsampler.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace lens::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSyncEvery = std::chrono::seconds(5);
/// Batches whose prompts are sorted by length together: rows of a batch then leave their prompts at about one time.
constexpr std::size_t kBatchesSorted = 8;

struct Options {
    std::string model;
    std::string promptsFile;
    std::string prompt;
    bool chat = false;
    std::string system;
    std::int64_t count = 0;
    std::size_t batch = 64;
    BatchSamplingOptions sampling;
    std::string temperature = "1";
    std::uint64_t seed = 0;
    std::string out;
    bool resume = false;
    CLI::Option *promptsOption = nullptr;
};

struct Range {
    double low = 1, high = 1;
};

std::optional<Range> temperatureRange(std::string_view text)
{
    const auto number = [](std::string_view part) -> std::optional<double> {
        double value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        const bool valid = error == std::errc() && end == part.data() + part.size() && value >= 0 && value <= 1e6;
        return valid ? std::optional(value) : std::nullopt;
    };
    const std::size_t colon = text.find(':');
    const auto low = number(text.substr(0, colon));
    const auto high = colon == text.npos ? low : number(text.substr(colon + 1));
    if (!low || !high || *low > *high)
        return std::nullopt;
    return Range{*low, *high};
}

std::string checkTemperature(const std::string &text)
{
    return temperatureRange(text) ? std::string() : "'" + text + "' is no temperature: a number, or LOW:HIGH";
}

class Sampling {
public:
    Sampling(const LoadedModel &model, const Options &options, LineAppender &file, Environment &environment)
        : m_model(model), m_options(options), m_file(file), m_environment(environment)
    {
    }

    Result<void> run(const SamplePlan &plan)
    {
        m_left = plan.left();
        for (std::int64_t next = 0; next < plan.count();) {
            Result<std::vector<Prompt>> prompts = encode(plan.take(next, m_options.batch * kBatchesSorted));
            if (!prompts)
                return propagate(prompts);
            std::ranges::stable_sort(*prompts, {}, [](const Prompt &prompt) { return prompt.ids.size(); });
            for (std::size_t begin = 0; begin < prompts->size(); begin += m_options.batch) {
                const std::span all(*prompts);
                const auto sampled = sample(all.subspan(begin, std::min(m_options.batch, all.size() - begin)));
                const Result<void> synced = m_file.sync();
                if (!sampled || !synced)
                    return sampled ? synced : sampled;
            }
        }
        return {};
    }

    std::int64_t samples() const { return m_samples; }
    std::int64_t tokens() const { return m_tokens; }
    double seconds() const { return std::chrono::duration<double>(Clock::now() - m_start).count(); }
    double tokensPerSecond() const { return static_cast<double>(m_tokens) / std::max(seconds(), 1e-9); }

private:
    struct Prompt {
        SampleRow row;
        std::vector<TokenId> ids;
    };

    Result<std::vector<Prompt>> encode(const std::vector<SampleRow> &rows) const
    {
        std::vector<Prompt> prompts;
        for (const SampleRow &row : rows) {
            Result<std::vector<TokenId>> ids = idsOf(*row.prompt);
            if (!ids)
                return propagate(ids);
            if (ids->empty())
                return fail(ErrorCode::InvalidArgument, "a prompt has no tokens", m_model.info().path,
                            "this tokenizer adds none of its own: give some text");
            prompts.push_back({row, std::move(*ids)});
        }
        return prompts;
    }

    Result<std::vector<TokenId>> idsOf(const std::string &prompt) const
    {
        if (!m_options.chat)
            return m_model.tokenizer()->encode(prompt);
        std::vector<ChatMessage> messages;
        if (!m_options.system.empty())
            messages.push_back({Role::System, m_options.system});
        messages.push_back({Role::User, prompt});
        return encodeConversation(m_model, messages);
    }

    Result<void> sample(std::span<const Prompt> prompts)
    {
        std::vector<BatchRow> rows;
        for (const Prompt &prompt : prompts)
            rows.push_back({prompt.ids, prompt.row.temperature, prompt.row.seed});
        const auto start = Clock::now();
        const std::int64_t before = m_tokens;
        const Result<void> sampled =
            sampleBatch(m_model, rows, m_options.sampling,
                        [&](const BatchSample &sample) { return keep(prompts[sample.row], sample); }, m_environment.stop,
                        m_environment.console.progress());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        m_environment.console.remark(grouped(static_cast<std::uint64_t>(m_samples)) + " of " +
                                     grouped(static_cast<std::uint64_t>(m_left)) + " texts, " +
                                     grouped(static_cast<std::uint64_t>(m_tokens)) + " tokens, " +
                                     fixed(static_cast<double>(m_tokens - before) / seconds, 0) + " tokens/s");
        return sampled;
    }

    Result<void> keep(const Prompt &prompt, const BatchSample &sample)
    {
        std::vector<TokenId> ids = prompt.ids;
        ids.insert(ids.end(), sample.ids.begin(), sample.ids.end());
        const Json line = {{"text", m_model.tokenizer()->decode(ids)},
                           {"prompt", validUtf8(*prompt.row.prompt)},
                           {"index", prompt.row.index},
                           {"temperature", prompt.row.temperature},
                           {"seed", prompt.row.seed},
                           {"tokens", sample.ids.size()},
                           {"stop", name(sample.reason)},
                           {"ids", ids}};
        m_file.append(line.dump(-1, ' ', false, Json::error_handler_t::replace));
        m_tokens += static_cast<std::int64_t>(sample.ids.size());
        ++m_samples;
        if (Clock::now() - m_synced < kSyncEvery)
            return {};
        m_synced = Clock::now();
        return m_file.sync();
    }

    const LoadedModel &m_model;
    const Options &m_options;
    LineAppender &m_file;
    Environment &m_environment;
    Clock::time_point m_start = Clock::now();
    Clock::time_point m_synced = m_start;
    std::int64_t m_left = 0;
    std::int64_t m_samples = 0;
    std::int64_t m_tokens = 0;
};

Result<SamplePlan> makePlan(const Options &options)
{
    std::vector<std::string> prompts = {options.prompt};
    if (options.promptsOption->count() > 0) {
        Result<std::vector<std::string>> read = readPrompts(options.promptsFile);
        if (!read)
            return propagate(read);
        prompts = std::move(*read);
    }
    const auto count = options.count > 0 ? options.count : static_cast<std::int64_t>(prompts.size());
    const Range temperature = temperatureRange(options.temperature).value_or(Range{});
    return SamplePlan(std::move(prompts), count, temperature.low, temperature.high, options.seed);
}

Result<void> checkModel(const LoadedModel &model, const Options &options)
{
    if (const Result<TokenizerPtr> tokenizer = requireTokenizer(model); !tokenizer)
        return propagate(tokenizer);
    if (options.chat && !model.chatTemplate())
        return fail(ErrorCode::Unsupported,
                    model.info().chatTemplateNote.empty() ? "this model has no chat template" : model.info().chatTemplateNote,
                    model.info().path, "leave out --chat");
    return {};
}

Result<Exit> run(const Options &options, Environment &environment)
{
    Result<SamplePlan> plan = makePlan(options);
    if (!plan)
        return propagate(plan);
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(options.model);
    if (!model)
        return propagate(model);
    if (const Result<void> fit = checkModel(**model, options); !fit)
        return propagate(fit);
    Result<LineAppender> file =
        LineAppender::open(options.out, options.resume ? LineAppender::Mode::Resume : LineAppender::Mode::Create);
    if (!file)
        return propagate(file);
    if (const Result<void> read = options.resume ? plan->leaveOut(options.out) : Result<void>(); !read)
        return propagate(read);

    Sampling sampling(**model, options, *file, environment);
    const Result<void> sampled = sampling.run(*plan);
    if (!sampled && sampled.error().code != ErrorCode::Cancelled)
        return propagate(sampled);
    environment.console.clearProgress();
    if (environment.options.json)
        environment.console.writeJson({{"out", options.out},
                                       {"samples", sampling.samples()},
                                       {"tokens", sampling.tokens()},
                                       {"seconds", sampling.seconds()},
                                       {"tokens_per_second", sampling.tokensPerSecond()}});
    else
        environment.console.write(facts({{"written to", options.out},
                                         {"texts", grouped(static_cast<std::uint64_t>(sampling.samples()))},
                                         {"tokens", grouped(static_cast<std::uint64_t>(sampling.tokens())) +
                                                        " (prompts not counted), " +
                                                        fixed(sampling.tokensPerSecond(), 0) + " per second"}}));
    return sampled ? Exit::Done : Exit::Cancelled;
}

} // namespace

void addSample(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("sample", "Many texts by one model, as training data",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model")->required()->option_text("MODEL");
    CLI::Option_group *input = command->add_option_group("Input");
    input->add_option("--prompt", options->prompt, "The prompt of all texts");
    options->promptsOption =
        input->add_option("--prompts", options->promptsFile, "A file of prompts, one a line, taken in turn")->option_text("FILE");
    input->require_option(1);
    CLI::Option *chat = command->add_flag("--chat", options->chat, "A prompt is a user's turn: use the chat template");
    command->add_option("--system", options->system, "System message")->needs(chat);
    command->add_option("--count", options->count, "Texts to sample (as many as there are prompts)")
        ->check(CLI::PositiveNumber.description(""));
    command->add_option("--batch", options->batch, "Texts sampled at once")
        ->capture_default_str()
        ->check(CLI::Range(1, 4096).description(""));
    command->add_option("--max-tokens", options->sampling.maxTokens, "Tokens of an answer at most")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30).description(""));
    command->add_option("--temperature", options->temperature, "A number, or LOW:HIGH: another one for each text")
        ->capture_default_str()
        ->check(CLI::Validator(checkTemperature, "", "temperature"));
    command->add_option("--top-k", options->sampling.topK, "Among the K most probable; 0 = off")
        ->check(CLI::Range(0, 1 << 30).description(""));
    command->add_option("--top-p", options->sampling.topP, "Among the most probable that make up X; 1 = off")
        ->check(CLI::Range(0.0, 1.0).description(""));
    command->add_option("--seed", options->seed, "Same seed, same texts");
    command->add_option("--out", options->out, "The file to write")->required()->option_text("FILE.jsonl[.gz]");
    command->add_flag("--resume", options->resume, "Go on with a file that is there already");
}

} // namespace lens::cli
