// supralens-cli tokenize
#include "checkpoint/checkpoint.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"

#include <filesystem>

namespace lens::cli {

namespace {

struct Options {
    std::string model;
    std::string text;
    std::string file;
    std::vector<TokenId> decode;
    bool special = false;
    bool noBos = false;
    CLI::Option *textOption = nullptr;
    CLI::Option *fileOption = nullptr;
    CLI::Option *decodeOption = nullptr;
};

/// Without the weights where that is possible: a file that is a tokenizer itself, a folder's, or the one inside a
/// checkpoint. What is left is asked of the loaded model.
Result<TokenizerPtr> tokenizerOf(const std::string &typed, Environment &environment)
{
    const Result<Specification> specification = specificationOf(typed);
    if (!specification)
        return propagate(specification);
    const std::filesystem::path path = specification->path;
    const std::string file = path.filename().string();
    if (file == "tokenizer.json" || path.extension() == ".model" ||
        (file.rfind("tok", 0) == 0 && path.extension() == ".bin"))
        return loadTokenizerFile(path);
    const Result<CheckpointPtr> checkpoint = openCheckpoint(path);
    if (!checkpoint)
        return propagate(checkpoint);
    if (const EmbeddedVocabulary *vocabulary = (*checkpoint)->vocabulary())
        return makeTokenizer(*vocabulary, specification->path);
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> model = loader.load(specification->path);
    if (!model)
        return propagate(model);
    return requireTokenizer(**model);
}

Exit print(const Tokenizer &tokenizer, const std::vector<TokenId> &ids, Environment &environment)
{
    std::vector<std::vector<std::string>> rows = {{"id", "piece"}};
    Json pieces = Json::array();
    for (const TokenId id : ids) {
        pieces.push_back(tokenizer.piece(id));
        rows.push_back({std::to_string(id), oneLine(tokenizer.piece(id))});
    }
    if (environment.options.json)
        environment.console.writeJson({{"tokenizer", tokenizer.kind()},
                                       {"count", ids.size()},
                                       {"ids", ids},
                                       {"pieces", std::move(pieces)},
                                       {"text", tokenizer.decode(ids)}});
    else
        environment.console.write(table(rows) + std::to_string(ids.size()) +
                                  (ids.size() == 1 ? " token\n" : " tokens\n"));
    return Exit::Done;
}

Result<Exit> run(const Options &options, Environment &environment)
{
    const Result<TokenizerPtr> tokenizer = tokenizerOf(options.model, environment);
    if (!tokenizer)
        return propagate(tokenizer);
    if (options.decodeOption->count() > 0) {
        const std::string text = (*tokenizer)->decode(options.decode);
        if (environment.options.json)
            return print(**tokenizer, options.decode, environment);
        environment.console.write(text + "\n");
        return Exit::Done;
    }
    std::string text = options.text;
    if (options.fileOption->count() > 0) {
        Result<std::string> content = readTextFile(options.file);
        if (!content)
            return propagate(content);
        text = std::move(*content);
    }
    const Result<std::vector<TokenId>> ids =
        (*tokenizer)->encode(text, {.addSpecial = !options.noBos, .parseSpecial = options.special});
    if (!ids)
        return propagate(ids);
    return print(**tokenizer, *ids, environment);
}

} // namespace

void addTokenize(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("tokenize", "Ids and pieces of a text, or the text of ids",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "The model, or a tokenizer file")->required()->option_text("MODEL");
    CLI::Option_group *input = command->add_option_group("Input");
    options->textOption = input->add_option("--text", options->text, "The text");
    options->fileOption = input->add_option("--file", options->file, "A file with the text");
    options->decodeOption =
        input->add_option("--decode", options->decode, "Ids, separated by commas: the way back")->delimiter(',');
    input->require_option(1);
    command->add_flag("--special", options->special, "Recognise control tokens written in the text");
    command->add_flag("--no-bos", options->noBos, "Do not add what the tokenizer adds by itself (<s> and the like)");
}

} // namespace lens::cli
