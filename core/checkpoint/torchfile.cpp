#include "checkpoint/torchfile.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/pickle.h"
#include "checkpoint/ziparchive.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace lens {

namespace {

constexpr std::uint64_t kLargestPickle = 64u << 20;
constexpr std::string_view kPickleName = "/data.pkl";
constexpr const char *kAdvice = "download the file again";

/// The archive of torch.save: every entry is named <prefix>/...
class TorchArchive {
public:
    static Result<TorchArchive> open(const MappedFilePtr &file);

    std::span<const std::byte> pickle() const { return content(*find("data.pkl")); }
    const ZipEntry *find(const std::string &name) const;
    std::span<const std::byte> content(const ZipEntry &entry) const;

private:
    MappedFilePtr m_file;
    std::string m_prefix; ///< with the slash
    std::unordered_map<std::string, ZipEntry> m_entries;
};

Result<TorchArchive> TorchArchive::open(const MappedFilePtr &file)
{
    Result<std::vector<ZipEntry>> entries = readZipEntries(*file);
    if (!entries)
        return propagate(entries);
    const auto pickle =
        std::ranges::find_if(*entries, [](const ZipEntry &entry) { return entry.name.ends_with(kPickleName); });
    if (pickle == entries->end())
        return fail(ErrorCode::Unsupported, "the zip archive was not written by torch.save: it has no data.pkl",
                    file->path().string(), "choose the file with the weights");
    if (pickle->size > kLargestPickle)
        return fail(ErrorCode::LimitExceeded,
                    "the description of the tensors has " + std::to_string(pickle->size) + " bytes",
                    file->path().string(), kAdvice);
    TorchArchive archive;
    archive.m_file = file;
    archive.m_prefix = pickle->name.substr(0, pickle->name.size() - kPickleName.size() + 1);
    for (ZipEntry &entry : *entries)
        archive.m_entries.emplace(entry.name, entry);
    const ZipEntry *order = archive.find("byteorder");
    const std::string_view big = "big";
    if (order && std::ranges::equal(archive.content(*order), std::as_bytes(std::span(big))))
        return fail(ErrorCode::Unsupported, "the file was written on a big-endian machine", file->path().string(),
                    "convert it to safetensors there");
    return archive;
}

const ZipEntry *TorchArchive::find(const std::string &name) const
{
    const auto found = m_entries.find(m_prefix + name);
    return found == m_entries.end() ? nullptr : &found->second;
}

std::span<const std::byte> TorchArchive::content(const ZipEntry &entry) const
{
    return m_file->bytes().subspan(entry.offset, entry.size);
}

/// The state dict itself: {name: tensor}, or what "state_dict" holds.
const PickleDict *stateDict(const Pickle &pickle)
{
    const auto *dict = pickle.root->as<PickleDict>();
    const PickleRef inner = dict ? dict->find("state_dict") : nullptr;
    return inner ? inner->as<PickleDict>() : dict;
}

bool isContiguous(const PickleTensor &tensor)
{
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
        if (tensor.shape[i] != 1 && tensor.strides[i] != expected)
            return false;
        expected *= tensor.shape[i];
    }
    return true;
}

/// The index of the last element within the storage; nullopt when it lies beyond `limit`. No size may be zero.
std::optional<std::int64_t> lastElement(const PickleTensor &tensor, std::int64_t limit)
{
    __int128 last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        last += static_cast<__int128>(tensor.shape[i] - 1) * tensor.strides[i];
    return last < limit ? std::optional(static_cast<std::int64_t>(last)) : std::nullopt;
}

Result<StoredTensor> placed(std::string_view name, const PickleTensor &tensor, const TorchArchive &archive,
                            const MappedFilePtr &file)
{
    const std::string where = whereIs(file->path(), shortened(name));
    const DType type = tensor.storage.type;
    const std::optional<std::uint64_t> bytes = bytesFor(type, tensor.shape);
    const std::optional<std::uint64_t> storageBytes = bytesFor(type, std::span(&tensor.storage.elements, 1));
    if (!bytes || !storageBytes)
        return fail(ErrorCode::Malformed, "its shape has too many elements", where, kAdvice);
    const ZipEntry *entry = archive.find("data/" + std::string(tensor.storage.key));
    if (!entry)
        return fail(ErrorCode::Malformed, "the file does not hold its data", where, kAdvice);
    if (entry->size < *storageBytes)
        return fail(ErrorCode::Truncated,
                    "its data has " + std::to_string(entry->size) + " bytes instead of " +
                        std::to_string(*storageBytes),
                    where, kAdvice);
    StoredTensor stored;
    stored.info = {std::string(name), type, tensor.shape, *bytes};
    stored.file = file;
    stored.offset = entry->offset;
    if (*bytes == 0)
        return stored;
    const std::optional<std::int64_t> last = lastElement(tensor, tensor.storage.elements);
    if (!last)
        return fail(ErrorCode::Malformed, "its shape and strides lead beyond its data", where, kAdvice);
    if (*bytes > *storageBytes)
        return fail(ErrorCode::LimitExceeded, "it repeats its data to more than is stored", where,
                    "save the tensor as contiguous");
    const auto element = static_cast<std::uint64_t>(blockLayout(type).bytes);
    stored.offset += static_cast<std::uint64_t>(tensor.offset) * element;
    stored.span = static_cast<std::uint64_t>(*last - tensor.offset + 1) * element;
    if (!isContiguous(tensor))
        stored.strides = tensor.strides;
    return stored;
}

Result<std::vector<StoredTensor>> tensorsOf(const PickleDict &dict, const TorchArchive &archive,
                                            const MappedFilePtr &file)
{
    std::vector<StoredTensor> tensors;
    std::unordered_set<std::string_view> names; // before copying: the memo lets a small pickle repeat a long name
    for (const auto &[key, value] : dict.items) {
        const auto *name = key->as<std::string_view>();
        const auto *tensor = value->as<PickleTensor>();
        if (!name || !tensor)
            continue;
        if (!isUtf8(*name) || !names.insert(*name).second)
            return fail(ErrorCode::Malformed, "two tensors have the same name, or the name is damaged",
                        whereIs(file->path(), shortened(*name)), kAdvice);
        if (tensors.size() == kMaximumTensors)
            return fail(ErrorCode::LimitExceeded, "the file announces more than 100000 tensors", file->path().string(),
                        kAdvice);
        Result<StoredTensor> stored = placed(*name, *tensor, archive, file);
        if (!stored)
            return propagate(stored);
        tensors.push_back(std::move(*stored));
    }
    return tensors;
}

void dropCommonPrefix(std::vector<StoredTensor> &tensors, std::string_view prefix)
{
    if (std::ranges::all_of(tensors, [&](const StoredTensor &tensor) { return tensor.info.name.starts_with(prefix); }))
        for (StoredTensor &tensor : tensors)
            tensor.info.name.erase(0, prefix.size());
}

} // namespace

Result<std::vector<StoredTensor>> readTorchFile(const MappedFilePtr &file)
{
    const std::string path = file->path().string();
    const Result<TorchArchive> archive = TorchArchive::open(file);
    if (!archive)
        return propagate(archive);
    const Result<Pickle> pickle = readPickle(archive->pickle(), path);
    if (!pickle)
        return propagate(pickle);
    const PickleDict *dict = stateDict(*pickle);
    Result<std::vector<StoredTensor>> tensors = dict ? tensorsOf(*dict, *archive, file) : std::vector<StoredTensor>();
    if (!tensors)
        return tensors;
    if (tensors->empty())
        return fail(ErrorCode::Unsupported, "the file holds no named tensors", path,
                    "choose the file with the model's state dict");
    dropCommonPrefix(*tensors, "module.");
    return tensors;
}

} // namespace lens
