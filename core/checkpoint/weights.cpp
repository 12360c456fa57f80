#include "checkpoint/weights.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shardindex.h"
#include "checkpoint/sniff.h"
#include "checkpoint/torchfile.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace lens {

namespace {

namespace fs = std::filesystem;

Result<std::vector<StoredTensor>> readTensors(const MappedFilePtr &file)
{
    const Result<FileKind> kind = sniff(*file);
    if (!kind)
        return propagate(kind);
    if (*kind == FileKind::Safetensors)
        return readSafetensors(file);
    if (*kind == FileKind::TorchZip)
        return readTorchFile(file);
    return fail(ErrorCode::Mismatch, "the file is neither safetensors nor a torch file", file->path().string(),
                "download the model again");
}

bool isPlainName(const std::string &name)
{
    return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string("/\\\0", 3)) == name.npos;
}

/// Shards are named by the index, which may come from anywhere: they must not lead out of the model's folder.
Result<fs::path> shardPath(const fs::path &index, const std::string &name)
{
    if (!isPlainName(name))
        return fail(ErrorCode::Malformed, "the index names a file outside its folder: \"" + shortened(name) + "\"",
                    index.string(), "get the model from a source you trust");
    const fs::path shard = index.parent_path() / name;
    std::error_code error;
    const fs::path real = fs::canonical(shard, error);
    if (error)
        return fail(ErrorCode::NotFound, "the index names \"" + shortened(name) + "\", which is not there",
                    index.string(), "download the missing file into the same folder");
    const fs::path folder = fs::canonical(index.has_parent_path() ? index.parent_path() : ".", error);
    const bool inCache = folder.parent_path().filename() == "snapshots" &&
                         real.parent_path() == folder.parent_path().parent_path() / "blobs";
    if (real.parent_path() != folder && !inCache)
        return fail(ErrorCode::Malformed, "the file is a link that leads out of the model's folder", shard.string(),
                    "put the file itself there");
    return shard;
}

Result<void> checkAgainstIndex(const Weights &weights, const ShardIndex &index, const fs::path &path)
{
    std::uint64_t total = 0;
    for (const StoredTensor &tensor : weights.tensors) {
        total += tensor.info.bytes;
        const auto entry = index.fileOf.find(tensor.info.name);
        if (entry == index.fileOf.end())
            return fail(ErrorCode::Mismatch, "the index does not list this tensor",
                        whereIs(tensor.file->path(), shortened(tensor.info.name)), "download the model again");
        if (entry->second != tensor.file->path().filename().string())
            return fail(ErrorCode::Mismatch, "the index has this tensor in \"" + shortened(entry->second) + "\"",
                        whereIs(tensor.file->path(), shortened(tensor.info.name)), "download the model again");
    }
    if (weights.tensors.size() != index.fileOf.size())
        return fail(ErrorCode::Mismatch,
                    "the index lists " + std::to_string(index.fileOf.size()) + " tensors, but the files hold " +
                        std::to_string(weights.tensors.size()),
                    path.string(), "download the model again");
    if (index.totalSize && *index.totalSize != total)
        return fail(ErrorCode::Mismatch,
                    "the index announces " + std::to_string(*index.totalSize) +
                        " bytes of tensors, but the files hold " + std::to_string(total),
                    path.string(), "index and files belong to different versions: download the model again");
    return {};
}

} // namespace

Result<Weights> readWeights(const fs::path &file)
{
    const Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    Result<std::vector<StoredTensor>> tensors = readTensors(*mapped);
    if (!tensors)
        return propagate(tensors);
    return Weights{std::move(*tensors), {file}};
}

Result<Weights> readShards(const fs::path &path)
{
    const Result<ShardIndex> index = readShardIndex(path);
    if (!index)
        return propagate(index);
    std::set<std::string> names;
    for (const auto &[tensor, file] : index->fileOf)
        names.insert(file);
    Weights weights{{}, {path}};
    for (const std::string &name : names) {
        const Result<fs::path> shard = shardPath(path, name);
        if (!shard)
            return propagate(shard);
        Result<Weights> part = readWeights(*shard);
        if (!part)
            return propagate(part);
        weights.files.push_back(*shard);
        std::ranges::move(part->tensors, std::back_inserter(weights.tensors));
    }
    if (const Result<void> checked = checkAgainstIndex(weights, *index, path); !checked)
        return propagate(checked);
    return weights;
}

} // namespace lens
