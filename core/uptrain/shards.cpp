#include "uptrain/shards.h"

#include "checkpoint/writer.h"
#include "uptrain/tarwriter.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <zlib.h>

namespace lens {

namespace {

namespace fs = std::filesystem;

std::string numbered(std::int64_t number, int digits)
{
    std::array<char, 24> text;
    std::snprintf(text.data(), text.size(), "%0*lld", digits, static_cast<long long>(number));
    return text.data();
}

std::string jsonList(std::span<const TokenId> ids)
{
    std::string text = "[";
    for (const TokenId id : ids)
        text += (text.size() > 1 ? ", " : "") + std::to_string(id);
    return text + "]";
}

/// Without a name or a time in the header, so that equal contents stay equal.
Result<std::string> gzipped(const std::string &text)
{
    constexpr int gzipFormat = 16 + MAX_WBITS, memory = 8;
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzipFormat, memory, Z_DEFAULT_STRATEGY) != Z_OK)
        return fail(ErrorCode::OutOfMemory, "there is no memory left to compress with");
    std::string packed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef *>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const int outcome = deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    if (outcome != Z_STREAM_END)
        return fail(ErrorCode::Internal, "a sequence could not be compressed");
    return packed;
}

Result<void> writeShard(const fs::path &file, std::int64_t first, std::int64_t count, std::int64_t length, const SequenceSource &source,
                        const std::stop_token &stop)
{
    auto archive = AtomicFile::create(file);
    if (!archive)
        return propagate(archive);
    TarWriter tar(*archive);
    std::vector<TokenId> ids(static_cast<std::size_t>(length));
    for (std::int64_t index = first; index < first + count; ++index) {
        if (stop.stop_requested())
            return fail(ErrorCode::Cancelled, "writing was cancelled", file.string());
        source(index, ids);
        const auto entry = gzipped(jsonList(ids));
        if (!entry)
            return propagate(entry);
        if (auto added = tar.add(numbered(index, 12) + ".json.gz", *entry); !added)
            return added;
    }
    if (auto finished = tar.finish(); !finished)
        return finished;
    return archive->commit();
}

} // namespace

std::string shardName(std::int64_t shard)
{
    return numbered(shard, 8);
}

Result<void> writeShards(const fs::path &folder, const ShardPlan &plan, const SequenceSource &source, std::stop_token stop,
                         const ProgressFn &report, Progress &progress)
{
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), folder.string(), "choose another folder");
    std::string manifest;
    for (std::int64_t shard = 0; shard < plan.shards(); ++shard) {
        const std::int64_t first = shard * plan.perShard, count = std::min(plan.perShard, plan.sequences - first);
        if (auto written = writeShard(folder / (shardName(shard) + ".tar"), first, count, plan.length, source, stop); !written)
            return written;
        manifest += R"({"shard": ")" + shardName(shard) + R"(", "num_sequences": )" + std::to_string(count) + "}\n";
        progress.done += static_cast<std::uint64_t>(count);
        if (report)
            report(progress);
    }
    return writeFileAtomically(folder / "manifest.jsonl", manifest);
}

} // namespace lens
