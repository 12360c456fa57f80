// Which tokenizer a file or folder holds.
#include "text/jsontext.h"
#include "text/llama2cvocabulary.h"
#include "text/sentencepiecetokenizer.h"
#include "text/tokenizerjson.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::size_t largestTokenizer = 256u << 20;

bool looksLikeJson(std::string_view content)
{
    if (content.starts_with("\xEF\xBB\xBF"))
        content.remove_prefix(3);
    const std::size_t first = content.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && content[first] == '{';
}

// Llama 3 and others ship a list of base64 pieces and ranks under the name tokenizer.model.
bool looksLikeTiktoken(std::string_view content)
{
    const std::string_view line = content.substr(0, std::min<std::size_t>(content.find('\n'), 200));
    const std::size_t space = line.find(' ');
    return space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
           line.find_first_not_of("0123456789", space + 1) == std::string_view::npos &&
           line.substr(0, space).find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == std::string_view::npos;
}

Result<TokenizerPtr> makeLlama2c(std::string_view content, const std::string &where)
{
    auto vocabulary = readLlama2cVocabulary(content, where);
    if (!vocabulary)
        return propagate(vocabulary);
    return makeTokenizer(*vocabulary, where);
}

Result<TokenizerPtr> makeFromContent(std::string_view content, const std::filesystem::path &file,
                                     const TokenizerExtras &extras)
{
    const std::string where = file.string();
    if (content.empty())
        return fail(ErrorCode::Truncated, "the file is empty", where, "get it again");
    if (content.starts_with("version https://git-lfs"))
        return fail(ErrorCode::Malformed, "this is a Git LFS pointer, not the file itself", where,
                    "fetch it with `git lfs pull`");
    if (looksLikeJson(content))
        return makeJsonTokenizer(content, extras, where);
    if (looksLikeTiktoken(content))
        return fail(ErrorCode::Unsupported, "this is a tiktoken rank list, which lacks half of the tokenizer", where,
                    "put the model's tokenizer.json beside it");
    if (file.extension() == ".bin" || looksLikeLlama2cVocabulary(content))
        return makeLlama2c(content, where);
    constexpr char firstByteOfPiece = '\x0A';
    if (file.extension() == ".model" || content.front() == firstByteOfPiece)
        return makeSentencePieceTokenizer(content, extras, where);
    return fail(ErrorCode::Malformed, "this is none of the known kinds of tokenizer file", where,
                "choose a sentencepiece .model, a tokenizer.json or a llama2.c tokenizer.bin");
}

Result<TokenizerPtr> loadFile(const std::filesystem::path &file, const TokenizerExtras &extras)
{
    const auto content = readTextFile(file, largestTokenizer);
    if (!content)
        return propagate(content);
    return makeFromContent(*content, file, extras);
}

} // namespace

Result<TokenizerPtr> loadTokenizerFile(const std::filesystem::path &file)
{
    return loadFile(file, {});
}

Result<TokenizerPtr> loadTokenizerFolder(const std::filesystem::path &folder)
{
    for (const char *name : {"tokenizer.json", "tokenizer.model", "spm.model", "tokenizer.bin"}) {
        const std::filesystem::path file = folder / name;
        std::error_code error;
        if (!std::filesystem::exists(file, error))
            continue;
        const auto extras = readTokenizerExtras(folder);
        if (!extras)
            return propagate(extras);
        return loadFile(file, *extras);
    }
    return fail(ErrorCode::NotFound, "the folder has no tokenizer", folder.string(),
                "put tokenizer.json or tokenizer.model beside the model");
}

} // namespace lens
