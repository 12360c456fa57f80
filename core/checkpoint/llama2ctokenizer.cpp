#include "checkpoint/llama2ctokenizer.h"

#include "checkpoint/bytereader.h"
#include "tensor/mappedfile.h"

#include <cctype>
#include <cmath>

namespace lens {

namespace {

constexpr const char *kAdvice = "put the tokenizer that belongs to the model beside it";
constexpr std::string_view kSpaceMark = "\xE2\x96\x81"; // U+2581
enum PieceType : std::int32_t { Normal = 1, Unknown = 2, Control = 3, Byte = 6 };

bool isBytePiece(std::string_view text)
{
    return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>') &&
           std::isxdigit(static_cast<unsigned char>(text[3])) && std::isxdigit(static_cast<unsigned char>(text[4]));
}

std::string withSpaceMarks(std::string_view text)
{
    std::string result;
    for (const char c : text)
        if (c == ' ')
            result += kSpaceMark;
        else
            result += c;
    return result;
}

void addPiece(EmbeddedVocabulary &vocabulary, std::string_view text, float score)
{
    const std::size_t id = vocabulary.tokens.size();
    vocabulary.scores.push_back(score);
    if (id < 3) { // the file has line breaks around <s> and </s>
        static constexpr const char *names[] = {"<unk>", "<s>", "</s>"};
        vocabulary.tokens.emplace_back(names[id]);
        vocabulary.types.push_back(id == 0 ? Unknown : Control);
        return;
    }
    vocabulary.tokens.push_back(withSpaceMarks(text));
    vocabulary.types.push_back(isBytePiece(text) ? Byte : Normal);
}

Result<EmbeddedVocabulary> readTokenizer(const MappedFile &file, std::size_t size)
{
    ByteReader reader(file.bytes(), file.path().string());
    reader.take(4); // length of the longest piece
    constexpr std::uint64_t smallestPiece = 8;
    if (!reader.canHold(size, smallestPiece))
        return fail(ErrorCode::Mismatch,
                    "the tokenizer is too short for the model's " + std::to_string(size) + " pieces",
                    file.path().string(), kAdvice);
    EmbeddedVocabulary vocabulary;
    for (std::size_t i = 0; i < size; ++i) {
        const auto score = reader.read<float>();
        const std::string_view text = reader.text(reader.read<std::uint32_t>());
        if (!reader.ok())
            return reader.truncated();
        if (std::isnan(score))
            return fail(ErrorCode::Malformed, "the score of piece " + std::to_string(i) + " is not a number",
                        reader.where(), kAdvice);
        addPiece(vocabulary, text, score);
    }
    if (reader.remaining() > 0)
        return fail(ErrorCode::Mismatch, "the tokenizer has more than the model's " + std::to_string(size) + " pieces",
                    file.path().string(), kAdvice);
    vocabulary.unknown = 0;
    if (size > 2) {
        vocabulary.bos = 1;
        vocabulary.eos = 2;
    }
    return vocabulary;
}

} // namespace

Result<std::optional<Llama2cTokenizer>> findLlama2cTokenizer(const std::filesystem::path &checkpoint, std::size_t size)
{
    for (const std::string &name : {"tok" + std::to_string(size) + ".bin", std::string("tokenizer.bin")}) {
        const std::filesystem::path path = checkpoint.parent_path() / name;
        std::error_code error;
        if (!std::filesystem::is_regular_file(path, error))
            continue;
        const Result<MappedFilePtr> file = MappedFile::open(path);
        if (!file)
            return propagate(file);
        Result<EmbeddedVocabulary> vocabulary = readTokenizer(**file, size);
        if (!vocabulary)
            return propagate(vocabulary);
        return std::optional(Llama2cTokenizer{path, std::move(*vocabulary)});
    }
    return std::optional<Llama2cTokenizer>();
}

} // namespace lens
