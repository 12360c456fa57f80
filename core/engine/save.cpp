#include "checkpoint/checkpoint.h"
#include "convert/export.h"
#include "engine/engine.h"
#include "engine/specification.h"
#include "engine/vocabularyfile.h"
#include "tensor/torchbridge.h"

#include <array>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr std::array tokenizerFiles = {
    "tokenizer.json", "tokenizer.model", "spm.model", "tokenizer.bin", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "generation_config.json", "chat_template.jinja", vocabularyFileName,
};

/// The file or folder that a model, perhaps converted several times, was first read from.
Result<fs::path> originalPath(const std::string &specification)
{
    auto parsed = parseSpecification(specification);
    while (parsed && (parsed->conversion || parsed->adapter))
        parsed = parseSpecification(std::string(parsed->model));
    if (!parsed)
        return propagate(parsed);
    return fs::path(parsed->model);
}

Result<void> copyTokenizer(const std::string &specification, const fs::path &folder, std::int64_t vocabularySize)
{
    const auto original = originalPath(specification);
    if (!original)
        return propagate(original);
    const auto checkpoint = openCheckpoint(*original);
    if (!checkpoint)
        return propagate(checkpoint);
    if (const EmbeddedVocabulary *vocabulary = (*checkpoint)->vocabulary())
        return writeVocabulary(folder / vocabularyFileName, *vocabulary);
    const fs::path source = fs::is_directory(*original) ? *original : fs::absolute(*original).parent_path();
    for (const char *name : tokenizerFiles)
        if (fs::exists(source / name))
            fs::copy_file(source / name, folder / name, fs::copy_options::overwrite_existing);
    const fs::path llama2c = source / ("tok" + std::to_string(vocabularySize) + ".bin");
    if (fs::exists(llama2c) && !fs::exists(folder / "tokenizer.bin"))
        fs::copy_file(llama2c, folder / "tokenizer.bin");
    return {};
}

} // namespace

Result<void> saveModel(const LoadedModel &model, const std::string &folder, SaveFormat format, std::stop_token stop,
                       const ProgressFn &progress)
{
    return guarded(folder, [&]() -> Result<void> {
        std::error_code error;
        fs::create_directories(folder, error);
        if (error)
            return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder, "choose another folder");
        if (const auto original = originalPath(model.info().path); original && fs::equivalent(*original, folder, error))
            return fail(ErrorCode::InvalidArgument, "this is the folder that the model was opened from", folder,
                        "choose another folder");
        if (model.tokenizer())
            if (auto copied = copyTokenizer(model.info().path, folder, model.info().vocabulary); !copied)
                return copied;
        return format == SaveFormat::OpenLm ? exportOpenLm(*model.model(), folder, std::move(stop), progress)
                                            : exportNative(*model.model(), folder, std::move(stop), progress);
    });
}

} // namespace lens
