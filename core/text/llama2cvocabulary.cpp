#include "text/llama2cvocabulary.h"

#include "text/bpe.h"

#include <bit>
#include <cmath>

namespace lens {

namespace {

constexpr std::size_t headerSize = 4, entryHeaderSize = 8;

std::uint32_t littleEndian32(std::string_view file, std::size_t at)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(file[at + i])) << (8 * i);
    return value;
}

// The file spells a space as a space; vocabularies here spell it U+2581.
std::string withSpaceSymbols(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        if (c == ' ')
            result += "\u2581";
        else
            result += c;
    }
    return result;
}

void name(EmbeddedVocabulary &vocabulary, std::size_t index, const char *piece, std::int32_t type)
{
    if (index < vocabulary.tokens.size()) {
        vocabulary.tokens[index] = piece;
        vocabulary.types[index] = type;
    }
}

} // namespace

bool looksLikeLlama2cVocabulary(std::string_view file)
{
    if (file.size() < headerSize + entryHeaderSize)
        return false;
    std::size_t at = headerSize;
    while (file.size() - at >= entryHeaderSize) {
        const std::size_t length = littleEndian32(file, at + 4);
        at += entryHeaderSize;
        if (length > file.size() - at)
            return false;
        at += length;
    }
    return at == file.size();
}

Result<EmbeddedVocabulary> readLlama2cVocabulary(std::string_view file, const std::string &where)
{
    constexpr const char *advice = "the tokenizer file is damaged; get it again";
    if (file.size() < headerSize)
        return fail(ErrorCode::Truncated, "the file ends inside its header", where, advice);
    EmbeddedVocabulary vocabulary;
    std::size_t at = headerSize;
    while (at < file.size()) {
        const std::string here = where + ", token " + std::to_string(vocabulary.tokens.size()) + " at byte "
                                 + std::to_string(at);
        if (file.size() - at < entryHeaderSize)
            return fail(ErrorCode::Truncated, "the file ends inside a token", here, advice);
        const float score = std::bit_cast<float>(littleEndian32(file, at));
        const std::size_t length = littleEndian32(file, at + 4);
        at += entryHeaderSize;
        if (length > file.size() - at)
            return fail(ErrorCode::Truncated, "a token of " + std::to_string(length) + " bytes reaches beyond the file",
                        here, advice);
        if (!std::isfinite(score))
            return fail(ErrorCode::Malformed, "the score is not a finite number", here, advice);
        vocabulary.tokens.push_back(withSpaceSymbols(file.substr(at, length)));
        vocabulary.scores.push_back(score);
        vocabulary.types.push_back(byteOfPiece(vocabulary.tokens.back()) ? 6 : 1);
        at += length;
    }
    if (vocabulary.tokens.size() < 3)
        return fail(ErrorCode::Malformed, "there are fewer than the three tokens that every such file begins with",
                    where, advice);
    name(vocabulary, 0, "<unk>", 2);
    name(vocabulary, 1, "<s>", 3);
    name(vocabulary, 2, "</s>", 3);
    vocabulary.unknown = 0;
    vocabulary.bos = 1;
    vocabulary.eos = 2;
    return vocabulary;
}

} // namespace lens
