// Several models on one conversation, and what sets them apart.
#pragma once

#include "cli/prompting.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lens::cli {

/// One model's answer to one turn.
struct ColumnAnswer {
    GenerationResult result;
    std::vector<TokenEvent> events;
    HeadFrame norms; ///< of all tokens that were computed for this turn; empty for softmax models
    std::string error;    ///< why it failed; the other columns go on
};

/// A later column against the first.
struct PairResult {
    std::size_t second = 1;
    std::optional<std::size_t> firstDifference; ///< index into the answers' ids; none when they are the same
    ForcedComparison forced;                    ///< both on the first column's text; empty when it was not possible
    std::string note;                           ///< why it was not
};

struct ComparedTurn {
    std::string prompt;
    std::vector<ColumnAnswer> answers; ///< by column
    std::vector<TokenId> forcedIds;    ///< the first column's sequence: prompt and answer
    std::vector<PairResult> pairs;
};

struct ComparedColumn {
    std::string label;
    LoadedModelPtr model;
};

/// Attention of two columns on the same text.
struct AttentionEvidence {
    std::int64_t tokens = 0;
    std::vector<std::optional<AttentionSummary>> summaries; ///< by column; none where it could not be measured
    std::vector<AttentionErrors> errors;                    ///< by pair: columns 1, 2, ... against column 0
    RowScaling scaling = RowScaling::AbsoluteSum;
};

struct Comparison {
    std::vector<ComparedColumn> columns;
    std::vector<ComparedTurn> turns;
    AttentionEvidence attention; ///< on the last turn's text
    GenerationOptions options;
    std::string system;
    bool chat = false;
    bool cancelled = false;
};

/// Columns whose models have the same name are numbered.
void labelApart(std::vector<ComparedColumn> &columns);

/// Mean, largest and share; NaN where there is nothing.
struct ForcedSummary {
    double meanKl, maxKl, sameTop, perplexityFirst, perplexitySecond;
};

ForcedSummary summarise(const ForcedComparison &forced);

/// Index of the first token in which the sequences part; none when they are the same.
std::optional<std::size_t> firstDifference(std::span<const TokenId> first, std::span<const TokenId> second);

/// Adds a later piece of the same sequence; what overlaps is replaced.
void append(HeadFrame &frame, const HeadFrame &more);

/// KL, first difference and the like of one turn. Cancellation gives what is done until then.
void comparePairs(const std::vector<ComparedColumn> &columns, ComparedTurn &turn, std::stop_token stop,
                  const ProgressFn &progress);

/// Attention of all columns on the beginning of `ids`, as far as memory allows.
AttentionEvidence measureAttention(const std::vector<ComparedColumn> &columns, std::span<const TokenId> ids,
                                   std::stop_token stop, const ProgressFn &progress);

} // namespace lens::cli
