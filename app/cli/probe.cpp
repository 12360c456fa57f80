// supralens-cli probe
#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/models.h"
#include "cli/probetables.h"

#include <algorithm>
#include <filesystem>

namespace lens::cli {

namespace {

struct Options {
    std::string model, against, text, ids, out;
    std::vector<std::string> kinds;
    std::string scaling = "absolute-sum";
    CLI::Option *idsOption = nullptr;
};

Result<std::vector<TokenId>> idsFor(const LoadedModel &model, const Options &options, Console &console)
{
    if (options.idsOption->count() > 0) {
        const Result<TokenBatch> batch = readTokenBatch(options.ids);
        if (!batch)
            return propagate(batch);
        if (batch->rows > 1)
            console.remark(options.ids + ": the first of its rows is measured");
        return std::vector<TokenId>(batch->row(0).begin(), batch->row(0).end());
    }
    const Result<TokenizerPtr> tokenizer = requireTokenizer(model);
    if (!tokenizer)
        return propagate(tokenizer);
    return (*tokenizer)->encode(options.text);
}

RowScaling scalingOf(const std::string &text)
{
    return text == "none" ? RowScaling::None : text == "sum" ? RowScaling::SumMagnitude : RowScaling::AbsoluteSum;
}

Result<void> write(const ProbeReport &report, const std::string &file)
{
    const std::string extension = std::filesystem::path(file).extension().string();
    if (extension == ".safetensors")
        return writeFloatTables(file, plainTables(report), {{"model", report.model}, {"against", report.against}});
    return writeFileAtomically(file, extension == ".csv"
                                         ? toCsv(report)
                                         : toJson(report).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string checkOut(const std::string &file)
{
    const std::string extension = std::filesystem::path(file).extension().string();
    const bool known = extension == ".csv" || extension == ".json" || extension == ".safetensors";
    return known ? "" : "'" + file + "' must end in .csv, .json or .safetensors";
}

Result<Exit> run(const Options &options, Environment &environment)
{
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(options.model);
    if (!model)
        return propagate(model);
    LoadedModelPtr against;
    if (!options.against.empty()) {
        const Result<LoadedModelPtr> loaded = loader.load(options.against);
        if (!loaded)
            return propagate(loaded);
        against = *loaded;
    }
    const Result<std::vector<TokenId>> ids = idsFor(**model, options, environment.console);
    if (!ids)
        return propagate(ids);
    if (const Result<void> valid = checkIds((*model)->info(), *ids); !valid)
        return propagate(valid);

    ProbeRequest request{*model, against, *ids, options.kinds, scalingOf(options.scaling)};
    const Result<ProbeReport> report = measure(request, environment.stop, environment.console.progress());
    environment.console.clearProgress();
    if (!report)
        return propagate(report);
    for (const std::string &note : report->notes)
        environment.console.remark(note);
    if (const Result<void> written = write(*report, options.out); !written)
        return propagate(written);
    if (environment.options.json)
        environment.console.writeJson(toJson(*report));
    else
        environment.console.write(overview(*report));
    return Exit::Done;
}

} // namespace

void addProbe(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("probe", "What goes on inside a model on a text, as tables",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model")->required()->option_text("MODEL");
    CLI::Option_group *input = command->add_option_group("Input");
    input->add_option("--text", options->text, "A text");
    options->idsOption =
        input->add_option("--ids", options->ids, "Token ids: safetensors with input_ids, or a JSON list of lists")
            ->option_text("FILE");
    input->require_option(1);
    command->add_option("--against", options->against, "The model it is compared with, for fidelity and kl")
        ->option_text("MODEL");
    command
        ->add_option("--kinds", options->kinds,
                     "Any of state_norm, decay, retention, attention, fidelity, kl, with commas; all by default")
        ->delimiter(',')
        ->check(CLI::IsMember(probeKinds()).description(""))
        ->option_text("LIST");
    command
        ->add_option("--scaling", options->scaling, "Rows of signed matrices are divided by: none, absolute-sum, sum")
        ->check(CLI::IsMember({"none", "absolute-sum", "sum"}).description(""))
        ->capture_default_str();
    command->add_option("--out", options->out, "The file to write: .csv, .json or .safetensors")
        ->required()
        ->check(CLI::Validator(checkOut, "", "out"))
        ->option_text("OUT");
}

} // namespace lens::cli
