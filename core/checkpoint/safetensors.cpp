#include "checkpoint/safetensors.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/safetensorsheader.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr const char *kAdvice = "download the file again";

Result<std::string_view> headerText(const MappedFile &file)
{
    const std::string where = file.path().string();
    ByteReader reader(file.bytes(), where);
    const auto length = reader.read<std::uint64_t>();
    if (!reader.ok())
        return fail(ErrorCode::Truncated,
                    "the file has " + std::to_string(file.bytes().size()) +
                        " bytes, fewer than the 8 every safetensors file begins with",
                    where, kAdvice);
    if (length == 0)
        return fail(ErrorCode::Malformed, "the header has length zero", where + ", offset 0", kAdvice);
    if (length > kLongestHeader)
        return fail(ErrorCode::LimitExceeded, "the header would be " + std::to_string(length) + " bytes long",
                    where + ", offset 0", kAdvice);
    if (length > reader.remaining())
        return fail(ErrorCode::Truncated, "the header of " + std::to_string(length) + " bytes ends beyond the file",
                    where + ", offset 0", kAdvice);
    const std::string_view text = reader.text(length);
    if (text.front() != '{')
        return fail(ErrorCode::Malformed, "the header does not begin with '{'", where + ", offset 8", kAdvice);
    return text;
}

/// One tensor at its place in the file, once its range agrees with its type and shape.
Result<StoredTensor> placed(HeaderEntry &entry, const MappedFilePtr &file, std::uint64_t dataStart)
{
    const std::string where = whereIs(file->path(), shortened(entry.info.name));
    const std::uint64_t available = file->bytes().size() - dataStart;
    if (entry.begin > entry.end)
        return fail(ErrorCode::Malformed, "its data ends before it begins", where, kAdvice);
    if (entry.end > available)
        return fail(ErrorCode::Truncated,
                    "its data ends at offset " + std::to_string(entry.end) + ", but the file has " +
                        std::to_string(available) + " bytes of data",
                    where, kAdvice);
    const std::optional<std::uint64_t> bytes = bytesFor(entry.info.dtype, entry.info.shape);
    if (!bytes)
        return fail(ErrorCode::Malformed, "its shape has too many elements", where, kAdvice);
    if (*bytes != entry.end - entry.begin)
        return fail(ErrorCode::Malformed,
                    "its type and shape need " + std::to_string(*bytes) + " bytes, but " +
                        std::to_string(entry.end - entry.begin) + " are given",
                    where, kAdvice);
    StoredTensor tensor;
    tensor.info = std::move(entry.info);
    tensor.info.bytes = *bytes;
    tensor.file = file;
    tensor.offset = dataStart + entry.begin;
    tensor.span = *bytes;
    return tensor;
}

/// Every byte of the data must belong to a tensor: holes are where other formats hide in a file.
Result<void> refuseHoles(const std::vector<StoredTensor> &tensors, std::uint64_t dataStart, const MappedFile &file)
{
    std::vector<const StoredTensor *> byOffset;
    for (const StoredTensor &tensor : tensors)
        byOffset.push_back(&tensor);
    std::ranges::sort(byOffset, {}, [](const StoredTensor *tensor) { return std::pair(tensor->offset, tensor->span); });
    std::uint64_t expected = dataStart;
    for (const StoredTensor *tensor : byOffset) {
        if (tensor->offset > expected)
            return fail(ErrorCode::Malformed, "bytes before it belong to no tensor",
                        whereIs(file.path(), shortened(tensor->info.name)), kAdvice);
        expected = std::max(expected, tensor->offset + tensor->span);
    }
    if (expected != file.bytes().size())
        return fail(ErrorCode::Malformed, "bytes after the last tensor belong to none",
                    file.path().string() + ", offset " + std::to_string(expected), kAdvice);
    return {};
}

} // namespace

Result<std::map<std::string, std::string>> readSafetensorsMetadata(const MappedFile &file)
{
    const Result<std::string_view> text = headerText(file);
    if (!text)
        return propagate(text);
    Result<SafetensorsHeader> header = parseSafetensorsHeader(*text, file.path());
    if (!header)
        return propagate(header);
    return std::move(header->metadata);
}

Result<std::vector<StoredTensor>> readSafetensors(const MappedFilePtr &file)
{
    const Result<std::string_view> text = headerText(*file);
    if (!text)
        return propagate(text);
    Result<SafetensorsHeader> header = parseSafetensorsHeader(*text, file->path());
    if (!header)
        return propagate(header);
    const std::uint64_t dataStart = kLengthBytes + text->size();
    std::vector<StoredTensor> tensors;
    tensors.reserve(header->entries.size());
    for (HeaderEntry &entry : header->entries) {
        Result<StoredTensor> tensor = placed(entry, file, dataStart);
        if (!tensor)
            return propagate(tensor);
        tensors.push_back(std::move(*tensor));
    }
    if (const Result<void> checked = refuseOverlaps(tensors); !checked)
        return propagate(checked);
    if (const Result<void> checked = refuseHoles(tensors, dataStart, *file); !checked)
        return propagate(checked);
    return tensors;
}

} // namespace lens
