#include "cli/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lens::cli {

namespace {

/// Enough to see the pattern, little enough to be measured in seconds.
constexpr std::int64_t attentionTokens = 192;

double mean(const std::vector<float> &values)
{
    if (values.empty())
        return std::numeric_limits<double>::quiet_NaN();
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

} // namespace

void labelApart(std::vector<ComparedColumn> &columns)
{
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string &name = columns[i].model->info().name;
        const auto same = std::ranges::count_if(
            columns, [&](const ComparedColumn &other) { return other.model->info().name == name; });
        columns[i].label = same > 1 ? name + " #" + std::to_string(i + 1) : name;
    }
}

ForcedSummary summarise(const ForcedComparison &forced)
{
    constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
    ForcedSummary summary{nothing, nothing, nothing, nothing, nothing};
    if (forced.kl.empty())
        return summary;
    summary.meanKl = mean(forced.kl);
    summary.maxKl = *std::ranges::max_element(forced.kl);
    summary.sameTop =
        static_cast<double>(std::ranges::count(forced.sameTop, 1)) / static_cast<double>(forced.sameTop.size());
    summary.perplexityFirst = std::exp(mean(forced.nllFirst));
    summary.perplexitySecond = std::exp(mean(forced.nllSecond));
    return summary;
}

std::optional<std::size_t> firstDifference(std::span<const TokenId> first, std::span<const TokenId> second)
{
    const auto [a, b] = std::ranges::mismatch(first, second);
    if (a == first.end() && b == second.end())
        return std::nullopt;
    return static_cast<std::size_t>(a - first.begin());
}

void append(HeadFrame &frame, const HeadFrame &more)
{
    if (more.tokens == 0)
        return;
    if (frame.tokens == 0 || frame.layers != more.layers || frame.heads != more.heads ||
        more.firstToken < frame.firstToken) {
        frame = more;
        return;
    }
    const std::int64_t end = more.firstToken + more.tokens;
    frame.tokens = end - frame.firstToken;
    const auto perToken = static_cast<std::size_t>(frame.layers * frame.heads);
    frame.values.resize(static_cast<std::size_t>(frame.tokens) * perToken, std::numeric_limits<float>::quiet_NaN());
    const auto offset =
        static_cast<std::ptrdiff_t>(static_cast<std::size_t>(more.firstToken - frame.firstToken) * perToken);
    std::ranges::copy(more.values, frame.values.begin() + offset);
}

void comparePairs(const std::vector<ComparedColumn> &columns, ComparedTurn &turn, std::stop_token stop,
                  const ProgressFn &progress)
{
    const GenerationResult &base = turn.answers.front().result;
    turn.forcedIds = base.promptIds;
    turn.forcedIds.insert(turn.forcedIds.end(), base.ids.begin(), base.ids.end());
    for (std::size_t second = 1; second < turn.answers.size(); ++second) {
        PairResult pair;
        pair.second = second;
        if (!turn.answers.front().error.empty() || !turn.answers[second].error.empty()) {
            pair.note = "one of the models failed";
            turn.pairs.push_back(std::move(pair));
            continue;
        }
        pair.firstDifference = firstDifference(base.ids, turn.answers[second].result.ids);
        if (turn.forcedIds.size() < 2) {
            pair.note = "the text is too short";
        } else if (stop.stop_requested()) {
            pair.note = "cancelled";
        } else {
            Result<ForcedComparison> forced =
                compareForced(*columns.front().model, *columns[second].model, turn.forcedIds, stop, progress);
            if (forced)
                pair.forced = std::move(*forced);
            else
                pair.note = forced.error().what;
        }
        turn.pairs.push_back(std::move(pair));
    }
}

AttentionEvidence measureAttention(const std::vector<ComparedColumn> &columns, std::span<const TokenId> ids,
                                   std::stop_token stop, const ProgressFn &progress)
{
    AttentionEvidence evidence;
    evidence.tokens = std::min(attentionTokens, static_cast<std::int64_t>(ids.size()));
    for (const ComparedColumn &column : columns)
        evidence.tokens = std::min(evidence.tokens, attentionLimit(column.model->info()));
    if (evidence.tokens < 2)
        return evidence;

    std::shared_ptr<const AttentionMap> base;
    for (const ComparedColumn &column : columns) {
        const std::int64_t vocabulary = column.model->info().vocabulary;
        const std::span<const TokenId> text = ids.first(static_cast<std::size_t>(evidence.tokens));
        const bool readable = std::ranges::all_of(text, [&](TokenId id) { return id < vocabulary; });
        const Result<std::shared_ptr<const AttentionMap>> map =
            readable && !stop.stop_requested() ? AttentionMap::measure(*column.model, text, stop, progress)
                                               : fail(ErrorCode::Mismatch, "another vocabulary", column.label);
        evidence.summaries.push_back(map ? std::optional((*map)->summary()) : std::nullopt);
        const bool isFirst = evidence.summaries.size() == 1;
        if (isFirst && map)
            base = *map;
        if (isFirst)
            continue;
        Result<AttentionErrors> errors = base && map ? base->errors(**map, evidence.scaling) : AttentionErrors{};
        evidence.errors.push_back(errors ? std::move(*errors) : AttentionErrors{});
    }
    return evidence;
}

} // namespace lens::cli
