// supralens-cli convert
#include "cli/commands.h"
#include "cli/conversionwords.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"

#include <map>

namespace lens::cli {

namespace {

struct Options {
    std::string model;
    ConvertOptions convert;
    DecayKind decay = DecayKind::Lightning;
    CLI::Option *decayOption = nullptr;
    std::string out;
    SaveFormat format = SaveFormat::SupraLens;
};

const std::map<std::string, SaveFormat> formats = {{"supralens", SaveFormat::SupraLens},
                                                   {"openlm", SaveFormat::OpenLm}};

Result<Exit> run(const Options &options, Environment &environment)
{
    ModelLoader loader(environment);
    const Result<LoadedModelPtr> source = loader.load(options.model);
    if (!source)
        return propagate(source);
    ConvertOptions convert = options.convert;
    if (options.decayOption->count() > 0)
        convert.decay = options.decay;
    const Result<LoadedModelPtr> model =
        convertModel(*source, convert, environment.stop, environment.console.progress());
    if (!model)
        return propagate(model);
    const Result<void> saved =
        saveModel(**model, options.out, options.format, environment.stop, environment.console.progress());
    if (!saved)
        return propagate(saved);

    const ModelInfo &info = (*model)->info();
    if (environment.options.json) {
        environment.console.writeJson(
            {{"out", options.out}, {"conversion", toString(convert)}, {"model", toJson(info)}});
        return Exit::Done;
    }
    const std::uint64_t before = (*source)->info().parameters;
    environment.console.write(
        facts({
            {"written to", options.out},
            {"conversion", toString(convert)},
            {"parameters", grouped(info.parameters) + " (" + grouped(info.parameters - before) + " of them new)"},
            {"sequence memory", info.isRecurrent()
                                    ? bytes(info.stateBytes) + ", constant"
                                    : bytes(info.kvBytesPerToken) + " per token and " + bytes(info.stateBytes)},
        }) +
        "\nThis model is converted but untrained: its new feature maps are at their initial values, so it talks\n"
        "nonsense until it is uptrained.\n");
    return Exit::Done;
}

} // namespace

void addConvert(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("convert", "A linear model from a softmax one, untrained",
                                        [options](Environment &environment) { return run(*options, environment); });
    command->add_option("model", options->model, "A softmax Llama or Mistral")->required()->option_text("MODEL");
    command->add_option("--to", options->convert.target, "supra, t2r or linear")
        ->required()
        ->transform(oneOf(targetWords))
        ->option_text(" ");
    options->decayOption =
        command->add_option("--decay", options->decay, "lightning, retnet or none (default: the target's own)")
            ->transform(oneOf(decayWords))
            ->option_text(" ");
    command
        ->add_option("--feature-map", options->convert.featureMap, "relu, relu-per-head, elu1, hedgehog (default: the target's own)")
        ->transform(oneOf(featureMapWords))
        ->option_text(" ");
    command->add_option("--init", options->convert.init, "Of new weights: random (the method's own) or identity")
        ->transform(oneOf(initWords))
        ->option_text(" ");
    command->add_option("--seed", options->convert.seed, "For random weights");
    addConversionLists(*command, options->convert);
    command->add_option("--out", options->out, "The folder to write")->required()->option_text("DIR");
    command->add_option("--format", options->format, "supralens (safetensors) or openlm (.pt)")
        ->transform(oneOf(formats))
        ->option_text(" ");
}

} // namespace lens::cli
