// A model's raw numbers on given tokens, as a file: for parity checks, scripts and measurement. No torch in here.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "text/tokenizer.h"

#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace lens {

class LoadedModel;

/// Equally long rows of ids.
struct TokenBatch {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<TokenId> ids; ///< row-major

    std::span<const TokenId> row(std::int64_t index) const
    {
        return std::span(ids).subspan(static_cast<std::size_t>(index * columns), static_cast<std::size_t>(columns));
    }
};

/// A safetensors file with an int64 (or int32) tensor "input_ids" [B,T] or [T], or a JSON list of ids or of equally
/// long lists of ids. By content, not by the file's name.
Result<TokenBatch> readTokenBatch(const std::string &file);

/// What to write, all of it float32:
enum class DumpKind {
    Logits,    ///< "logits" [B,T,V]
    State,     ///< "layers.N.state" [B,H,dk,dv]: S_T after all tokens, not yet decayed for the next one; with
               ///< "layers.N.normaliser" [B,H,dk] where the mixer has one. Softmax layers have none
    Attention, ///< softmax: "layers.N.attn" [B,H,T,T]; linear: "layers.N.linear_attn", signed, decay included
    MixerOut,  ///< "layers.N.attn_out" [B,T,H*dv]: what enters the output projection
    Hidden,    ///< "layers.N.out" [B,T,D]: the residual stream after block N
};

enum class RunMode { Parallel, Recurrent, Chunked };

struct DumpOptions {
    std::vector<DumpKind> kinds;
    RunMode mode = RunMode::Chunked;
    std::int64_t chunk = 64; ///< tokens, for Chunked
};

struct DumpedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
};

struct DumpSummary {
    std::vector<DumpedTensor> tensors;
    std::vector<DumpKind> absent; ///< asked for, but this model has none
    bool written = true;          ///< false on the meta device, where there are shapes but no numbers
};

/// Runs `batch` through the model and writes `file` (safetensors). InvalidArgument: no tokens, or ids outside the
/// vocabulary; Unsupported: the model has nothing of what was asked for; LimitExceeded: attention matrices beyond the
/// memory there is.
Result<DumpSummary> dumpTensors(const LoadedModel &model, const TokenBatch &batch, const DumpOptions &options,
                                const std::string &file, std::stop_token stop = {}, const ProgressFn &progress = {});

/// Plain numbers with a name and a shape.
struct FloatTable {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

/// Writes tables as a safetensors file. InvalidArgument when shape and values disagree.
Result<void> writeFloatTables(const std::string &file, const std::vector<FloatTable> &tables,
                              const std::map<std::string, std::string> &metadata = {});

} // namespace lens
