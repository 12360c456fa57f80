// supralens-cli train-tokenizer
#include "base/atomicfile.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "corpus/documentsource.h"
#include "text/tokenizertraining.h"

#include <chrono>
#include <map>

namespace lens::cli {

namespace {

struct Options {
    std::vector<std::string> data;
    DocumentFormat format;
    TokenizerTraining training;
    std::string out;
};

const std::map<std::string, TokenizerTraining::Model> models = {{"bpe", TokenizerTraining::Model::Bpe},
                                                                {"unigram", TokenizerTraining::Model::Unigram}};

Result<void> writeWhole(const std::string &path, std::string_view content)
{
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file)
        return propagate(file);
    if (const Result<void> written = file->write(content); !written)
        return written;
    return file->commit();
}

Result<Exit> run(const Options &options, Environment &environment)
{
    const auto start = std::chrono::steady_clock::now();
    Result<DocumentSource> source =
        DocumentSource::open(options.data, options.format, "reading text", environment.console.progress());
    if (!source)
        return propagate(source);
    const Result<std::string> model =
        trainTokenizer([&] { return source->next(); }, options.training, environment.stop);
    if (!model)
        return propagate(model);
    if (const Result<void> written = writeWhole(options.out, *model); !written)
        return propagate(written);
    const Result<TokenizerPtr> tokenizer = loadTokenizerFile(options.out);
    if (!tokenizer)
        return propagate(tokenizer);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    environment.console.clearProgress();
    if (environment.options.json)
        environment.console.writeJson(
            {{"out", options.out}, {"vocabulary", (*tokenizer)->size()}, {"kind", (*tokenizer)->kind()}, {"seconds", seconds}});
    else
        environment.console.write(facts({{"written to", options.out},
                                         {"tokenizer", std::string((*tokenizer)->kind()) + ", " +
                                                           grouped((*tokenizer)->size()) + " pieces"},
                                         {"took", duration(seconds)}}));
    return Exit::Done;
}

} // namespace

void addTrainTokenizer(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("train-tokenizer", "A new sentencepiece tokenizer, learned from text",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("--data", options->data, "Text or .jsonl files, also .gz")->required()->option_text("FILE...");
    command->add_option("--text-field", options->format.textField, "Of JSON lines (text)");
    command->add_option("--separator", options->format.separator, "Line between documents of a text file (<|endoftext|>)");
    command->add_option("--vocab", options->training.vocabulary, "Number of pieces")->required();
    command->add_option("--model-type", options->training.model, "bpe or unigram")
        ->transform(CLI::CheckedTransformer(models).description(""))
        ->option_text(" ");
    command->add_option("--seed", options->training.seed, "For drawing lines, of more than ten million");
    command->add_option("--out", options->out, "The file to write")->required()->option_text("FILE.model");
}

} // namespace lens::cli
