// Text of many sequences at once, as training data: on a CPU a batch of 64 takes little longer than one sequence, since
// the weights are read once for all. No torch in here.
#pragma once

#include "engine/engine.h"

namespace lens {

struct BatchRow {
    std::vector<TokenId> prompt;  ///< not empty
    double temperature = 1;       ///< 0 = greedy
    std::uint64_t seed = 0;       ///< as SamplingOptions::seed
};

struct BatchSamplingOptions {
    std::int64_t maxTokens = 256;  ///< of an answer
    int topK = 0;                  ///< 0 = off
    double topP = 1.0;             ///< 1 = off
};

struct BatchSample {
    std::size_t row = 0;
    std::vector<TokenId> ids;  ///< what was generated, the final end-of-text token included
    StopReason reason = StopReason::MaxTokens;
};

/// An error ends the sampling.
using BatchSampleFn = std::function<Result<void>(const BatchSample &)>;

/// Samples an answer to each row, all rows as one batch. Rows are handed to `finished` as they end, on the calling
/// thread. A row draws what DecodeSession::generate() would with its temperature and seed, whatever rows it shares the
/// batch with, but for rounding: products of other sizes round differently, in bfloat16 visibly so.
///
/// Memory grows with the number of rows: a state or KV cache for each. A stop request drops the rows that are not
/// finished (ErrorCode::Cancelled). `progress` counts "sampling" in tokens, of all prompts and the longest answers
/// possible. Errors: InvalidArgument (an empty prompt, ids outside the vocabulary, options outside of their range),
/// OutOfMemory, Internal (logits that are not finite), Cancelled, and those of `finished`.
Result<void> sampleBatch(const LoadedModel &model, std::span<const BatchRow> rows, const BatchSamplingOptions &options,
                         const BatchSampleFn &finished, std::stop_token stop = {}, const ProgressFn &progress = {});

} // namespace lens
