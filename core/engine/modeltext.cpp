#include "engine/modeltext.h"

#include "engine/vocabularyfile.h"

namespace lens {

namespace {

namespace fs = std::filesystem;

/// llama2.c keeps its vocabulary in a file of its own, by custom one of these names.
Result<TokenizerPtr> loadBeside(const fs::path &folder, std::int64_t vocabulary)
{
    for (const std::string &file : {"tok" + std::to_string(vocabulary) + ".bin", std::string("tokenizer.bin")}) {
        std::error_code error;
        if (fs::exists(folder / file, error))
            return loadTokenizerFile(folder / file);
    }
    return TokenizerPtr();
}

Result<TokenizerPtr> loadTokenizerOf(const Checkpoint &checkpoint, const Architecture &architecture, const ModelInfo &info)
{
    if (auto own = architecture.loadTokenizer(checkpoint); !own || *own)
        return own;
    if (const EmbeddedVocabulary *vocabulary = checkpoint.vocabulary())
        return makeTokenizer(*vocabulary, checkpoint.path().string());
    std::error_code error;
    fs::path folder = checkpoint.path();
    if (!fs::is_directory(folder, error))
        folder = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
    if (fs::exists(folder / vocabularyFileName, error)) {
        auto vocabulary = readVocabulary(folder / vocabularyFileName);
        if (!vocabulary)
            return propagate(vocabulary);
        return makeTokenizer(*vocabulary, (folder / vocabularyFileName).string());
    }
    auto tokenizer = loadTokenizerFolder(folder);
    if (tokenizer || tokenizer.error().code != ErrorCode::NotFound)
        return tokenizer;
    return loadBeside(folder, info.vocabulary);
}

} // namespace

Result<ModelText> loadModelText(const Checkpoint &checkpoint, const Architecture &architecture, const ModelInfo &info)
{
    auto tokenizer = loadTokenizerOf(checkpoint, architecture, info);
    if (!tokenizer)
        return propagate(tokenizer);
    ModelText text;
    text.tokenizer = std::move(*tokenizer);
    if (!text.tokenizer)
        return text;
    const std::size_t size = text.tokenizer->size();
    if (info.vocabulary > 0 && size > static_cast<std::size_t>(info.vocabulary))
        return fail(ErrorCode::Mismatch,
                    "the tokenizer has " + std::to_string(size) + " tokens, the model's embedding only "
                        + std::to_string(info.vocabulary),
                    checkpoint.path().string(), "put the tokenizer that belongs to this model beside it");
    if (text.tokenizer->chatTemplate().empty())
        return text;
    const SpecialTokens &special = text.tokenizer->special();
    const auto spelled = [&](std::optional<TokenId> id) { return id ? text.tokenizer->piece(*id) : std::string(); };
    auto recognised = ChatTemplate::recognise(text.tokenizer->chatTemplate(), checkpoint.path().string(),
                                              spelled(special.bos), spelled(special.eos));
    if (recognised)
        text.chatTemplate = std::move(*recognised);
    else
        text.chatTemplateNote = toString(recognised.error());
    return text;
}

} // namespace lens
