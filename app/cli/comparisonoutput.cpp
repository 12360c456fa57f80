#include "cli/comparisonoutput.h"

#include "cli/format.h"
#include "text/utf8.h"

namespace lens::cli {

namespace {

std::string memoryGrowth(const ModelInfo &info)
{
    return info.isRecurrent() ? "constant" : bytes(info.kvBytesPerToken) + " per token";
}

std::string tokenAt(const ColumnAnswer &answer, std::size_t index)
{
    if (index >= answer.events.size())
        return "the end";
    const TokenEvent &event = answer.events[index];
    return event.text.empty() ? "id " + std::to_string(event.id) : "'" + oneLine(event.text) + "'";
}

Json pairJson(const PairResult &pair)
{
    const ForcedSummary summary = summarise(pair.forced);
    const auto numbers = [](const std::vector<float> &values) {
        Json list = Json::array();
        for (const float value : values)
            list.push_back(number(value));
        return list;
    };
    return {{"first", 0},
            {"second", pair.second},
            {"first_difference", pair.firstDifference ? Json(*pair.firstDifference) : Json()},
            {"note", pair.note},
            {"mean_kl", summary.meanKl},
            {"max_kl", summary.maxKl},
            {"top1_agreement", summary.sameTop},
            {"perplexity_first", summary.perplexityFirst},
            {"perplexity_second", summary.perplexitySecond},
            {"kl", numbers(pair.forced.kl)},
            {"nll_first", numbers(pair.forced.nllFirst)},
            {"nll_second", numbers(pair.forced.nllSecond)},
            {"same_top", pair.forced.sameTop}};
}

/// values[layer][head].
Json perHead(const std::vector<float> &values, std::int64_t heads)
{
    Json rows = Json::array();
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i % static_cast<std::size_t>(heads) == 0)
            rows.push_back(Json::array());
        rows.back().push_back(number(values[i]));
    }
    return rows;
}

Json attentionJson(const AttentionEvidence &evidence)
{
    Json columns = Json::array();
    for (const std::optional<AttentionSummary> &summary : evidence.summaries) {
        columns.push_back(summary ? Json{{"mean_distance", perHead(summary->meanDistance, summary->heads)},
                                         {"entropy_bits", perHead(summary->entropy, summary->heads)},
                                         {"zero_features", perHead(summary->zeroFeatures, summary->heads)}}
                                  : Json());
    }
    Json pairs = Json::array();
    for (std::size_t i = 0; i < evidence.errors.size(); ++i) {
        const AttentionErrors &errors = evidence.errors[i];
        pairs.push_back({{"first", 0},
                         {"second", i + 1},
                         {"frobenius", perHead(errors.frobenius, errors.heads)},
                         {"cosine", perHead(errors.cosine, errors.heads)}});
    }
    return {{"tokens", evidence.tokens}, {"columns", std::move(columns)}, {"errors", std::move(pairs)}};
}

Json answerJson(const ColumnAnswer &answer, std::size_t column)
{
    Json json = {{"column", column}, {"error", answer.error.empty() ? Json() : Json(answer.error)}};
    json.update(toJson(answer.result));
    const std::uint64_t before = answer.events.empty() ? 0 : answer.events.front().stateBytes;
    const std::uint64_t after = answer.events.empty() ? 0 : answer.events.back().stateBytes;
    json["state_bytes_first_token"] = before;
    json["state_bytes_last_token"] = after;
    Json tokens = Json::array();
    for (const TokenEvent &event : answer.events)
        tokens.push_back(toJson(event));
    json["logprobs"] = std::move(tokens);
    return json;
}

} // namespace

std::string describe(const ModelInfo &info)
{
    return info.mixer + ", " + std::to_string(info.layerCount) + " layers x " + std::to_string(info.heads) +
           " heads, " + computedIn(info) + " on " + info.device + (info.untrained ? ", untrained" : "");
}

std::string columnHeading(const ComparedColumn &column)
{
    return "== " + oneLine(column.label) + " (" + describe(column.model->info()) + ")\n";
}

std::string describeDifference(const ComparedTurn &turn, const PairResult &pair)
{
    if (!pair.firstDifference)
        return "none";
    const std::size_t index = *pair.firstDifference;
    return "token " + std::to_string(index) + ": " + tokenAt(turn.answers.front(), index) + " / " +
           tokenAt(turn.answers[pair.second], index);
}

std::string turnSummary(const Comparison &comparison, const ComparedTurn &turn)
{
    std::vector<std::vector<std::string>> rows = {
        {"model", "tokens", "tokens/s", "first token", "prefill", "memory", "grows by", "stopped by"}};
    for (std::size_t i = 0; i < turn.answers.size(); ++i) {
        const GenerationResult &result = turn.answers[i].result;
        const bool done = turn.answers[i].error.empty();
        rows.push_back({oneLine(comparison.columns[i].label), std::to_string(result.ids.size()), rateOf(result),
                        duration(result.firstTokenSeconds), duration(result.prefillSeconds), bytes(result.stateBytes),
                        memoryGrowth(comparison.columns[i].model->info()), done ? name(result.reason) : "error"});
    }
    std::string text = table(rows);
    for (const PairResult &pair : turn.pairs) {
        text += "\n" + oneLine(comparison.columns.front().label) + " against " +
                oneLine(comparison.columns[pair.second].label) + "\n";
        std::vector<std::pair<std::string, std::string>> lines = {
            {"  first difference", describeDifference(turn, pair)}};
        if (pair.forced.kl.empty()) {
            lines.emplace_back("  KL", pair.note.empty() ? "not measured" : "not measured: " + pair.note);
        } else {
            const ForcedSummary summary = summarise(pair.forced);
            lines.emplace_back("  KL on the first's text", "mean " + significant(summary.meanKl) + ", largest " +
                                                               significant(summary.maxKl) + " nats over " +
                                                               std::to_string(pair.forced.kl.size()) + " tokens");
            lines.emplace_back("  same best token", fixed(100 * summary.sameTop, 1) + " %");
            lines.emplace_back("  perplexity of it",
                               significant(summary.perplexityFirst) + " / " + significant(summary.perplexitySecond));
        }
        text += facts(lines);
    }
    return text + "\n";
}

std::string countOf(std::size_t count, const std::string &noun)
{
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string rateOf(const GenerationResult &result)
{
    return result.tokensPerSecond() > 0 ? fixed(result.tokensPerSecond(), 1) : "n/a";
}

std::string sessionTitle(const std::string &prompt)
{
    constexpr std::size_t longest = 60;
    const std::string line = prompt.empty() ? "(empty prompt)" : oneLine(prompt);
    std::size_t end = 0;
    for (std::size_t characters = 0; end < line.size() && characters < longest; ++characters)
        end += utf8At(line, end).length;
    return end < line.size() ? line.substr(0, end) + "…" : line;
}

Json toJson(const Comparison &comparison)
{
    Json models = Json::array();
    for (const ComparedColumn &column : comparison.columns) {
        Json info = toJson(column.model->info());
        info["label"] = column.label;
        models.push_back(std::move(info));
    }
    Json turns = Json::array();
    for (const ComparedTurn &turn : comparison.turns) {
        Json columns = Json::array();
        for (std::size_t i = 0; i < turn.answers.size(); ++i)
            columns.push_back(answerJson(turn.answers[i], i));
        Json pairs = Json::array();
        for (const PairResult &pair : turn.pairs)
            pairs.push_back(pairJson(pair));
        turns.push_back({{"prompt", turn.prompt},
                         {"columns", std::move(columns)},
                         {"forced_ids", turn.forcedIds},
                         {"pairs", std::move(pairs)}});
    }
    return {{"models", std::move(models)},
            {"system", comparison.system},
            {"chat", comparison.chat},
            {"options", toJson(comparison.options)},
            {"cancelled", comparison.cancelled},
            {"turns", std::move(turns)},
            {"attention", attentionJson(comparison.attention)}};
}

} // namespace lens::cli
