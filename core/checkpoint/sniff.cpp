#include "checkpoint/sniff.h"

#include "checkpoint/bytereader.h"

#include <algorithm>
#include <cctype>

namespace lens {

namespace {

constexpr std::string_view kLlama2cMagic = "24ka"; // 0x616b3432, little-endian

bool startsLikeWebPage(std::string_view text)
{
    const std::size_t first = std::min(text.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), text.size());
    std::string start(text.substr(first, 14));
    std::ranges::transform(start, start.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<?xml");
}

bool startsLikePickle(std::string_view text)
{
    return text.size() >= 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5;
}

/// What people have in place of a model.
Result<void> refuseImpostors(std::string_view text, const std::string &where)
{
    if (text.empty())
        return fail(ErrorCode::Truncated, "the file is empty", where, "download it again");
    if (startsLikeWebPage(text))
        return fail(ErrorCode::Malformed, "this is a web page, not a model", where,
                    "the download needs another address, or a log-in");
    if (text.starts_with("version https://git-lfs"))
        return fail(ErrorCode::Malformed, "this is a Git LFS pointer, not the model itself", where,
                    "run \"git lfs pull\" in its folder");
    if (text.starts_with("FUGG"))
        return fail(ErrorCode::Unsupported, "this is a big-endian GGUF file", where, "convert it to little-endian");
    if (startsLikePickle(text) && !(text.size() > 8 && text[8] == '{'))
        return fail(ErrorCode::Unsupported, "this is a bare Python pickle, as torch before 1.6 wrote it", where,
                    "load it with a current torch and save it as safetensors or with torch.save");
    return {};
}

} // namespace

Result<FileKind> sniff(const MappedFile &file)
{
    const std::string_view text(reinterpret_cast<const char *>(file.bytes().data()), file.bytes().size());
    const std::string where = file.path().string();
    if (const Result<void> checked = refuseImpostors(text, where); !checked)
        return propagate(checked);
    if (text.starts_with("GGUF"))
        return FileKind::Gguf;
    if (text.starts_with("PK\x03\x04"))
        return FileKind::TorchZip;
    if (text.starts_with(kLlama2cMagic))
        return FileKind::Llama2c;
    if (text.size() > 8 && text[8] == '{')
        return FileKind::Safetensors;
    const std::string extension = file.path().extension().string();
    if (extension == ".safetensors")
        return FileKind::Safetensors;
    if (extension == ".gguf")
        return FileKind::Gguf;
    if (extension == ".pt" || extension == ".pth")
        return FileKind::TorchZip;
    if (extension == ".bin")
        return FileKind::Llama2c;
    return fail(ErrorCode::Unsupported, "the file has no format known here", where,
                "choose a Hugging Face folder, a .safetensors, .gguf, llama2.c .bin or open_lm .pt file");
}

} // namespace lens
