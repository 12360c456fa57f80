// supralens-cli dump
#include "engine/dump.h"

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lens::cli {

namespace {

struct Options {
    std::string model;
    std::string ids;
    std::string text;
    std::vector<std::string> tensors;
    std::string out;
    DumpOptions dump;
    CLI::Option *idsOption = nullptr;
};

constexpr std::array<std::pair<const char *, DumpKind>, 5> words = {{
    {"logits", DumpKind::Logits},
    {"state", DumpKind::State},
    {"attention", DumpKind::Attention},
    {"mixer_out", DumpKind::MixerOut},
    {"hidden", DumpKind::Hidden},
}};

std::string word(DumpKind kind)
{
    return std::ranges::find(words, kind, &std::pair<const char *, DumpKind>::second)->first;
}

/// "parallel", "recurrent", "chunked" or "chunked:128"; an explanation when it is none of them.
std::string parseMode(const std::string &text, DumpOptions &options)
{
    if (text == "parallel") {
        options.mode = RunMode::Parallel;
    } else if (text == "recurrent") {
        options.mode = RunMode::Recurrent;
    } else if (text == "chunked" || text.starts_with("chunked:")) {
        options.mode = RunMode::Chunked;
        if (text.size() <= 7)
            return {};
        const char *end = text.data() + text.size();
        const std::from_chars_result parsed = std::from_chars(text.data() + 8, end, options.chunk);
        if (parsed.ec != std::errc() || parsed.ptr != end || options.chunk < 1)
            return "'" + text + "': the size of a chunk is a whole number from 1 on";
    } else {
        return "'" + text + "' is no mode: parallel, recurrent, chunked or chunked:SIZE";
    }
    return {};
}

Result<TokenBatch> tokensFor(const LoadedModel &model, const Options &options)
{
    if (options.idsOption->count() > 0)
        return readTokenBatch(options.ids);
    const Result<TokenizerPtr> tokenizer = requireTokenizer(model);
    if (!tokenizer)
        return propagate(tokenizer);
    Result<std::vector<TokenId>> ids = (*tokenizer)->encode(options.text);
    if (!ids)
        return propagate(ids);
    return TokenBatch{1, static_cast<std::int64_t>(ids->size()), std::move(*ids)};
}

void print(const DumpSummary &summary, const Options &options, Environment &environment)
{
    std::vector<std::vector<std::string>> rows = {{"tensor", "shape"}};
    Json tensors = Json::array();
    for (const DumpedTensor &tensor : summary.tensors) {
        std::string shape;
        for (const std::int64_t size : tensor.shape)
            shape += (shape.empty() ? "[" : ",") + std::to_string(size);
        rows.push_back({tensor.name, shape + "]"});
        tensors.push_back({{"name", tensor.name}, {"shape", tensor.shape}});
    }
    for (const DumpKind kind : summary.absent)
        environment.console.remark("this model has no " + word(kind));
    if (!summary.written)
        environment.console.remark("the meta device has shapes but no numbers: nothing was written");
    if (environment.options.json)
        environment.console.writeJson(
            {{"out", summary.written ? Json(options.out) : Json()}, {"tensors", std::move(tensors)}});
    else
        environment.console.write(table(rows));
}

Result<Exit> run(const Options &options, Environment &environment)
{
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(options.model);
    if (!model)
        return propagate(model);
    const Result<TokenBatch> batch = tokensFor(**model, options);
    if (!batch)
        return propagate(batch);
    DumpOptions dump = options.dump;
    for (const std::string &text : options.tensors) {
        const auto entry = std::ranges::find(words, text, &std::pair<const char *, DumpKind>::first);
        dump.kinds.push_back(entry->second);
    }
    const Result<DumpSummary> summary =
        dumpTensors(**model, *batch, dump, options.out, environment.stop, environment.console.progress());
    if (!summary)
        return propagate(summary);
    print(*summary, options, environment);
    return Exit::Done;
}

} // namespace

void addDump(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("dump", "A model's raw numbers as a safetensors file",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model")->required()->option_text("MODEL");
    CLI::Option_group *input = command->add_option_group("Input");
    options->idsOption =
        input->add_option("--ids", options->ids, "Token ids: safetensors with input_ids [B,T], or a JSON list of lists")
            ->option_text("FILE");
    input->add_option("--text", options->text, "A text");
    input->require_option(1);
    std::vector<std::string> names;
    for (const auto &[name, kind] : words)
        names.emplace_back(name);
    command
        ->add_option("--tensors", options->tensors, "Any of logits, state, attention, mixer_out, hidden, with commas")
        ->required()
        ->delimiter(',')
        ->check(CLI::IsMember(names).description(""))
        ->option_text("LIST");
    command->add_option("--out", options->out, "The file to write")->required()->option_text("OUT.safetensors");
    command
        ->add_option_function<std::string>(
            "--mode", [options](const std::string &text) { (void)parseMode(text, options->dump); },
            "How the sequence is run: parallel, recurrent, chunked or chunked:SIZE (default chunked:64)")
        ->check(CLI::Validator(
            [](std::string &text) {
                DumpOptions scratch;
                return parseMode(text, scratch);
            },
            "", "mode"));
}

} // namespace lens::cli
