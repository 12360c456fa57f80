#include "cli/reportsections.h"

#include "cli/charts.h"
#include "cli/comparisonoutput.h"
#include "cli/format.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens::cli {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

std::string panel(const std::string &content)
{
    return "<div class=\"panel\">\n" + content + "</div>\n";
}

std::string figure(const std::string &value, const std::string &meaning)
{
    return "<div><b>" + escaped(value) + "</b><span>" + escaped(meaning) + "</span></div>\n";
}

std::string pairName(const Comparison &comparison, std::size_t second)
{
    return escaped(comparison.columns.front().label) + " against " + escaped(comparison.columns[second].label);
}

std::string pieceOf(const LoadedModel &model, TokenId id)
{
    return model.tokenizer() ? model.tokenizer()->piece(id) : "id " + std::to_string(id);
}

BarChart klChart(const Comparison &comparison, const ComparedTurn &turn, const PairResult &pair)
{
    BarChart chart;
    chart.values = pair.forced.kl;
    chart.xTitle = "position in the text (tokens)";
    chart.yTitle = "KL (nats)";
    chart.boundary = static_cast<std::int64_t>(turn.answers.front().result.promptIds.size()) - 1;
    chart.boundaryLabel = "answer begins";
    const LoadedModel &model = *comparison.columns.front().model;
    for (std::size_t i = 0; i < pair.forced.kl.size(); ++i)
        chart.tooltips.push_back("before '" + oneLine(pieceOf(model, turn.forcedIds[i + 1])) + "' (token " +
                                 std::to_string(i + 1) + "): " + significant(pair.forced.kl[i]) + " nats");
    return chart;
}

std::string klPanel(const Comparison &comparison, const ComparedTurn &turn, const PairResult &pair)
{
    std::string html = "<h3 style=\"margin-top:0\">" + pairName(comparison, pair.second) + "</h3>\n";
    if (pair.forced.kl.empty())
        return panel(html + "<p class=\"soft\">Not measured" + (pair.note.empty() ? "" : ": " + escaped(pair.note)) +
                     ".</p>\n");
    const ForcedSummary summary = summarise(pair.forced);
    html += "<div class=\"numbers\">\n" + figure(significant(summary.meanKl), "mean KL, nats") +
            figure(significant(summary.maxKl), "largest KL, nats") +
            figure(fixed(100 * summary.sameTop, 1) + " %", "same most probable token") +
            figure(significant(summary.perplexityFirst) + " / " + significant(summary.perplexitySecond),
                   "perplexity of this text") +
            figure(pair.firstDifference ? "token " + std::to_string(*pair.firstDifference) : "none",
                   "first difference of the answers") +
            "</div>\n" + svg(klChart(comparison, turn, pair));
    return panel(html);
}

/// State bytes after each token of the sequence.
LineSeries growth(const std::string &name, const ColumnAnswer &answer)
{
    LineSeries series{name, {}, {}, {}};
    for (const TokenEvent &event : answer.events) {
        series.x.push_back(static_cast<double>(event.position));
        series.y.push_back(static_cast<double>(event.stateBytes));
    }
    return series;
}

bool hasNumbers(const std::vector<float> &values)
{
    return std::ranges::any_of(values, [](float value) { return std::isfinite(value); });
}

/// Tokens to the right, layers downwards, in each layer its heads; layers without a state are left out.
HeatMap stateMap(const HeadFrame &frame)
{
    HeatMap map;
    map.columns = frame.tokens;
    map.firstColumn = frame.firstToken;
    map.xTitle = "token";
    map.yTitle = "layer (each with its heads)";
    map.legendTitle = "‖S‖ (Frobenius, logarithmic)";
    map.logarithmic = true;
    const auto at = [&](std::int64_t token, std::int64_t layer, std::int64_t head) {
        return frame.values[static_cast<std::size_t>((token * frame.layers + layer) * frame.heads + head)];
    };
    for (std::int64_t layer = 0; layer < frame.layers; ++layer) {
        bool recurrent = false;
        for (std::int64_t token = 0; token < frame.tokens && !recurrent; ++token)
            recurrent = std::isfinite(at(token, layer, 0));
        if (!recurrent)
            continue;
        map.rowLabels.push_back(std::to_string(layer));
        map.rows += frame.heads;
        for (std::int64_t head = 0; head < frame.heads; ++head) {
            for (std::int64_t token = 0; token < frame.tokens; ++token)
                map.values.push_back(at(token, layer, head));
        }
    }
    return map;
}

double halfLife(double gamma)
{
    return gamma > 0 && gamma < 1 ? std::log(0.5) / std::log(gamma)
           : gamma >= 1           ? std::numeric_limits<double>::infinity()
                                  : 0;
}

std::string halfLifeText(double gamma)
{
    const double value = halfLife(gamma);
    return std::isinf(value) ? "∞" : significant(value);
}

/// Mean over the layers of one head's value.
double overLayers(const std::vector<float> &values, std::int64_t heads, std::size_t head)
{
    double sum = 0;
    int count = 0;
    for (std::size_t i = head; i < values.size(); i += static_cast<std::size_t>(heads)) {
        if (std::isfinite(values[i])) {
            sum += values[i];
            ++count;
        }
    }
    return count > 0 ? sum / count : none;
}

const LayerInfo *firstDecayingLayer(const ModelInfo &info)
{
    const auto layer = std::ranges::find_if(info.layers, [](const LayerInfo &layer) { return !layer.gamma.empty(); });
    return layer == info.layers.end() ? nullptr : &*layer;
}

LineChart retention(const std::vector<double> &gammas)
{
    LineChart chart;
    chart.xTitle = "distance (tokens back)";
    chart.yTitle = "what is left of a token";
    chart.legend = false;
    chart.yMax = 1;
    chart.height = 250;
    double reach = 16;
    for (const double gamma : gammas) {
        if (std::isfinite(halfLife(gamma)))
            reach = std::max(reach, std::min(1024.0, std::ceil(3 * halfLife(gamma) / 16) * 16));
    }
    for (std::size_t head = 0; head < gammas.size(); ++head) {
        LineSeries series{"head " + std::to_string(head) + ", γ " + fixed(gammas[head], 4), {}, {}, {}};
        series.colour = scaleColour(
            gammas.size() > 1 ? 0.9 * static_cast<double>(head) / static_cast<double>(gammas.size() - 1) : 0.4);
        for (int step = 0; step <= 160; ++step) {
            const double distance = reach * std::pow(step / 160.0, 2);
            series.x.push_back(distance);
            series.y.push_back(std::pow(gammas[head], distance));
        }
        chart.series.push_back(std::move(series));
    }
    return chart;
}

std::string decayTable(const Comparison &comparison, std::size_t column, const std::vector<double> &gammas)
{
    const auto summary = [&](std::size_t index) -> const AttentionSummary * {
        const auto &all = comparison.attention.summaries;
        return index < all.size() && all[index] ? &*all[index] : nullptr;
    };
    const AttentionSummary *own = summary(column);
    const bool hasPartner = column > 0 && comparison.columns.front().model->info().mixer == "softmax" &&
                            comparison.columns.front().model->info().heads == static_cast<std::int64_t>(gammas.size());
    const AttentionSummary *partner = hasPartner ? summary(0) : nullptr;
    std::string html = "<div class=\"scroll\"><table><thead><tr><th>head</th><th>γ</th><th>half-life, tokens</th>"
                       "<th>5 % left after, tokens</th>";
    html += own ? "<th>mean distance, measured</th><th>φ(k) zero</th>" : "";
    html += partner ? "<th>mean distance, softmax</th>" : "";
    html += "</tr></thead><tbody>\n";
    for (std::size_t head = 0; head < gammas.size(); ++head) {
        const double tail = gammas[head] < 1 ? std::log(0.05) / std::log(gammas[head]) : none;
        html += "<tr><td>" + std::to_string(head) + "</td><td>" + fixed(gammas[head], 5) + "</td><td>" +
                halfLifeText(gammas[head]) + "</td><td>" + (std::isfinite(tail) ? significant(tail) : "∞") + "</td>";
        if (own)
            html += "<td>" + fixed(overLayers(own->meanDistance, own->heads, head), 1) + "</td><td>" +
                    fixed(100 * overLayers(own->zeroFeatures, own->heads, head), 0) + " %</td>";
        if (partner)
            html += "<td>" + fixed(overLayers(partner->meanDistance, partner->heads, head), 1) + "</td>";
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

CellMap cells(const std::vector<float> &values, std::int64_t layers, std::int64_t heads, const char *legend,
              const char *unit)
{
    CellMap map;
    map.rows = layers;
    map.columns = heads;
    map.values = values;
    map.xTitle = "head";
    map.yTitle = "layer";
    map.legendTitle = legend;
    map.unit = unit;
    return map;
}

double meanOf(const std::vector<float> &values)
{
    return overLayers(values, 1, 0);
}

std::string errorPanel(const Comparison &comparison, std::size_t pair)
{
    const AttentionErrors &errors = comparison.attention.errors[pair];
    if (!hasNumbers(errors.cosine))
        return {};
    std::string html = "<h3 style=\"margin-top:0\">" + pairName(comparison, pair + 1) +
                       "</h3>\n<div class=\"numbers\">\n" +
                       figure(fixed(meanOf(errors.cosine), 3), "mean cosine error, 0 is equal") +
                       figure(fixed(meanOf(errors.frobenius), 3), "mean relative Frobenius error") + "</div>\n";
    return panel(html + "<div class=\"pair\">" +
                 svg(cells(errors.cosine, errors.layers, errors.heads, "1 − cosine", "")) +
                 svg(cells(errors.frobenius, errors.layers, errors.heads, "‖A − B‖ / ‖A‖", "")) + "</div>\n");
}

} // namespace

std::string klSection(const Comparison &comparison, const ComparedTurn &turn)
{
    if (turn.pairs.empty())
        return {};
    std::string html =
        "<h2>Where the predictions part</h2>\n<p class=\"soft\">Both models read the same text, that of " +
        escaped(comparison.columns.front().label) +
        ", and predict each next token. KL(first ‖ second) says how far the second's distribution is from the first's; "
        "0 is agreement.</p>\n";
    for (const PairResult &pair : turn.pairs)
        html += klPanel(comparison, turn, pair);
    return html;
}

std::string memorySection(const Comparison &comparison, const ComparedTurn &turn)
{
    LineChart chart;
    chart.xTitle = "tokens in the sequence";
    chart.yTitle = "memory of the sequence";
    chart.bytes = true;
    for (std::size_t i = 0; i < turn.answers.size(); ++i)
        chart.series.push_back(growth(comparison.columns[i].label, turn.answers[i]));
    if (std::ranges::all_of(chart.series, [](const LineSeries &series) { return series.x.size() < 2; }))
        return {};
    return "<h2>What it costs to remember</h2>\n" + panel(svg(chart));
}

std::string stateSection(const Comparison &comparison, const ComparedTurn &turn)
{
    std::string panels;
    for (std::size_t i = 0; i < turn.answers.size(); ++i) {
        const HeatMap map = stateMap(turn.answers[i].norms);
        if (map.rows > 0 && map.columns > 0)
            panels +=
                panel("<h3 style=\"margin-top:0\">" + escaped(comparison.columns[i].label) + "</h3>\n" + svg(map));
    }
    if (panels.empty())
        return {};
    return "<h2>State norms</h2>\n<p class=\"soft\">The Frobenius norm of every head's recurrent state after each "
           "token. "
           "Heads with a long half-life keep filling; fast ones settle at once.</p>\n" +
           panels;
}

std::string decaySection(const Comparison &comparison)
{
    std::string panels;
    for (std::size_t i = 0; i < comparison.columns.size(); ++i) {
        const LayerInfo *layer = firstDecayingLayer(comparison.columns[i].model->info());
        if (!layer)
            continue;
        panels += panel("<h3 style=\"margin-top:0\">" + escaped(comparison.columns[i].label) + "</h3>\n" +
                        svg(retention(layer->gamma)) + decayTable(comparison, i, layer->gamma));
    }
    if (panels.empty())
        return {};
    return "<h2>Decay</h2>\n<p class=\"soft\">Each head forgets at its own rate γ, the same in every layer. Measured "
           "distances "
           "are means over layers and tokens, weighted by |A|.</p>\n" +
           panels;
}

std::string attentionSection(const Comparison &comparison)
{
    std::string panels;
    for (std::size_t i = 0; i < comparison.attention.errors.size(); ++i)
        panels += errorPanel(comparison, i);
    if (panels.empty())
        return {};
    return "<h2>Attention</h2>\n<p class=\"soft\">The matrix each head implies, on the first " +
           std::to_string(comparison.attention.tokens) +
           " tokens of the text; the rows of signed matrices are divided by the sum of their absolute values. Point at "
           "a cell "
           "for its number.</p>\n" +
           panels;
}

} // namespace lens::cli
