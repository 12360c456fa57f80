// Token sequences as open_lm's trainer reads them: a folder of tar files (WebDataset), each entry a gzipped JSON list of
// ids, and manifest.jsonl with one line {"shard": NAME, "num_sequences": N} for each tar file.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "text/tokenizer.h"

#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace lens {

struct ShardPlan {
    std::int64_t sequences = 0;  ///< of all shards
    std::int64_t perShard = 0;   ///< the last one may have fewer
    std::int64_t length = 0;     ///< tokens of a sequence as it is stored: one more than the model is given

    std::int64_t shards() const { return (sequences + perShard - 1) / perShard; }
};

/// Fills in sequence `index`.
using SequenceSource = std::function<void(std::int64_t index, std::span<TokenId> out)>;

/// "00000007", without ".tar".
std::string shardName(std::int64_t shard);

/// Writes one shard after the other, each under a temporary name until it is complete, the manifest last. One shard is
/// all that is in memory. Counts `progress` up from where it is, in sequences. ErrorCode::Io, Cancelled.
Result<void> writeShards(const std::filesystem::path &folder, const ShardPlan &plan, const SequenceSource &source,
                         std::stop_token stop, const ProgressFn &report, Progress &progress);

} // namespace lens
