#include "cli/report.h"

#include "checkpoint/writer.h"
#include "cli/charts.h"
#include "cli/comparisonoutput.h"
#include "cli/format.h"
#include "cli/reportsections.h"
#include "cli/version.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace lens::cli {

namespace {

std::string utcNow()
{
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 40> buffer;
    return std::string(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M UTC", &parts));
}

std::string settings(const GenerationOptions &options)
{
    const SamplingOptions &sampling = options.sampling;
    std::string text = sampling.temperature == 0 ? "greedy"
                                                 : "temperature " + significant(sampling.temperature) + ", seed " +
                                                       std::to_string(sampling.seed);
    if (sampling.topK > 0)
        text += ", top-k " + std::to_string(sampling.topK);
    if (sampling.topP < 1)
        text += ", top-p " + significant(sampling.topP);
    if (sampling.minP > 0)
        text += ", min-p " + significant(sampling.minP);
    if (sampling.repetitionPenalty != 1)
        text += ", repeat penalty " + significant(sampling.repetitionPenalty);
    return text + ", at most " + std::to_string(options.maxTokens) + " tokens";
}

std::string swatch(std::size_t column)
{
    return "<span class=\"swatch s" + std::to_string(column % 6) + "\"></span>";
}

std::string fact(const std::string &name, const std::string &value)
{
    return value.empty() ? "" : "<dt>" + name + "</dt><dd>" + escaped(value) + "</dd>\n";
}

std::string modelPanel(const ComparedColumn &column, std::size_t index)
{
    const ModelInfo &info = column.model->info();
    const std::string memory = info.isRecurrent() ? bytes(info.stateBytes) + ", constant"
                                                  : "grows by " + bytes(info.kvBytesPerToken) + " per token";
    std::string html =
        "<div class=\"panel\">" + swatch(index) + "<span class=\"name\">" + escaped(column.label) + "</span>";
    if (info.untrained)
        html += "<span class=\"badge\">untrained</span>";
    html += "\n<dl>\n" + fact("Mixer", info.mixer) +
            fact("Shape", std::to_string(info.layerCount) + " layers × " + std::to_string(info.heads) +
                              " heads, width " + std::to_string(info.hiddenSize)) +
            fact("Parameters", grouped(info.parameters)) + fact("Sequence memory", memory) +
            fact("Computed in", computedIn(info) + " on " + info.device) +
            fact("Stored as", info.format + ", " + info.storage) + fact("Licence", info.licence) +
            fact("Origin", info.origin) + fact("Weights", info.fingerprint) + fact("File", info.path);
    return html + "</dl></div>\n";
}

std::string header(const Comparison &comparison)
{
    std::string html = "<h1>" + std::to_string(comparison.columns.size()) + " models, " +
                       (comparison.turns.size() > 1 ? "one conversation" : "one prompt") + "</h1>\n<p class=\"soft\">" +
                       escaped(settings(comparison.options)) + (comparison.chat ? ", through the chat template" : "") +
                       " · " + utcNow() + "</p>\n";
    if (comparison.cancelled)
        html += "<p class=\"error\">The comparison was cancelled: what was there by then is shown.</p>\n";
    html += "<h2>Models</h2>\n<div class=\"columns\">\n";
    for (std::size_t i = 0; i < comparison.columns.size(); ++i)
        html += modelPanel(comparison.columns[i], i);
    html += "</div>\n";
    const bool untrained = std::ranges::any_of(
        comparison.columns, [](const ComparedColumn &column) { return column.model->info().untrained; });
    if (untrained)
        html +=
            "<p class=\"soft small\" style=\"margin-top:12px\">“Untrained” is a model as it stands after conversion, "
            "before any uptraining: its feature maps are at their initial values, and its text is not meaningful "
            "yet.</p>\n";
    return html;
}

std::string tooltip(const TokenEvent &event)
{
    std::string text = "token " + std::to_string(event.position) + ", id " + std::to_string(event.id) + ": " +
                       fixed(100 * std::exp(event.logprob), 1) + " %";
    for (const TokenAlternative &other : event.alternatives)
        text += "\n" + fixed(100 * std::exp(other.logprob), 1) + " %  " + oneLine(other.text);
    return text;
}

/// Tokens that show nothing, such as the end of the text or a line break, must still be seen and pointed at.
std::string visibleText(const TokenEvent &event, const TokenizerPtr &tokenizer)
{
    if (event.text.empty())
        return "<i class=\"visible\">" +
               (tokenizer ? escaped(tokenizer->piece(event.id)) : std::to_string(event.id) + " ") + "</i>";
    if (event.text.find_first_not_of('\n') == std::string::npos)
        return "<i class=\"visible\">↵</i>" + event.text;
    return escaped(event.text);
}

std::string answerPanel(const Comparison &comparison, const ComparedTurn &turn, std::size_t column)
{
    const ColumnAnswer &answer = turn.answers[column];
    std::optional<std::size_t> first;
    for (const PairResult &pair : turn.pairs) {
        if ((pair.second == column || column == 0) && pair.firstDifference)
            first = std::min(first.value_or(*pair.firstDifference), *pair.firstDifference);
    }
    std::string html = "<div class=\"panel\">" + swatch(column) + "<span class=\"name\">" +
                       escaped(comparison.columns[column].label) + "</span>\n<div class=\"answer\">";
    const TokenizerPtr &tokenizer = comparison.columns[column].model->tokenizer();
    for (std::size_t i = 0; i < answer.events.size(); ++i) {
        const TokenEvent &event = answer.events[i];
        const double doubt = std::isfinite(event.logprob) ? 1 - std::exp(event.logprob) : 1;
        html += std::string("<span") + (first == i ? " class=\"first\"" : "") + " style=\"--p:" + fixed(doubt, 3) +
                "\" title=\"" + escaped(tooltip(event)) + "\">" + visibleText(event, tokenizer) + "</span>";
    }
    html += "</div>\n";
    if (!answer.error.empty())
        return html + "<p class=\"error\">" + escaped(answer.error) + "</p></div>\n";
    const GenerationResult &result = answer.result;
    return html + "<div class=\"cost\">" + countOf(result.ids.size(), "token") + " · " + rateOf(result) +
           " tokens/s · first token after " + duration(result.firstTokenSeconds) + " · " +
           (comparison.columns[column].model->info().isRecurrent() ? "state " : "KV cache ") +
           bytes(result.stateBytes) + " · " + name(result.reason) + "</div></div>\n";
}

std::string turnSection(const Comparison &comparison, const ComparedTurn &turn, std::size_t index)
{
    const std::string heading = comparison.turns.size() > 1 ? "Turn " + std::to_string(index + 1) : "Text";
    std::string html = "<h2>" + heading + "</h2>\n<p class=\"prompt\"><span class=\"who\">prompt</span>" +
                       (turn.prompt.empty() ? "<span class=\"soft\">(empty)</span>" : escaped(turn.prompt)) +
                       "</p>\n<div class=\"columns\">\n";
    for (std::size_t i = 0; i < turn.answers.size(); ++i)
        html += answerPanel(comparison, turn, i);
    return html +
           "</div>\n<p class=\"soft small\" style=\"margin-top:10px\">Redder: less probable to the model that wrote "
           "it. Framed: the first token in which the answers part. Point at a token for its probability and what else "
           "was likely.</p>\n" +
           klSection(comparison, turn) + memorySection(comparison, turn) + stateSection(comparison, turn);
}

} // namespace

std::string renderReport(const Comparison &comparison)
{
    const std::string title = comparison.turns.empty() ? "Comparison" : sessionTitle(comparison.turns.front().prompt);
    std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
                       escaped(title) + " – SUPRA Lens</title>\n<style>" + std::string(reportStyle()) +
                       "</style>\n</head>\n<body>\n<main>\n" + header(comparison);
    for (std::size_t i = 0; i < comparison.turns.size(); ++i)
        html += turnSection(comparison, comparison.turns[i], i);
    return html + decaySection(comparison) + attentionSection(comparison) + "<footer>SUPRA Lens " + version +
           ". Text and charts are inside this file; it loads nothing.</footer>\n</main>\n</body>\n</html>\n";
}

Result<void> writeReport(const Comparison &comparison, const std::string &file)
{
    return writeFileAtomically(file, renderReport(comparison));
}

} // namespace lens::cli
