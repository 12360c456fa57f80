#include "cli/charts.h"

#include "cli/chartgeometry.h"
#include "cli/format.h"
#include "cli/indexedimage.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens::cli {

namespace {

constexpr double width = 1060;
constexpr double halfWidth = 515;

std::string num(double value)
{
    std::string text = fixed(value, 2);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
        text.pop_back();
    return text;
}

std::string open(double height, const std::string &description, double across = width)
{
    return "<svg viewBox=\"0 0 " + num(across) + " " + num(height) + "\" role=\"img\" aria-label=\"" +
           escaped(description) + "\">\n";
}

std::string text(double x, double y, const std::string &content, const char *anchor, const char *extra = "")
{
    return "<text x=\"" + num(x) + "\" y=\"" + num(y) + "\" text-anchor=\"" + anchor + "\"" + extra + ">" +
           escaped(content) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char *kind)
{
    return "<line class=\"" + std::string(kind) + "\" x1=\"" + num(x1) + "\" y1=\"" + num(y1) + "\" x2=\"" + num(x2) +
           "\" y2=\"" + num(y2) + "\"/>\n";
}

std::string titleOf(const std::string &tooltip)
{
    return "<title>" + escaped(tooltip) + "</title>";
}

std::string xAxis(const Frame &frame, const Axis &axis, const std::string &title)
{
    std::string svg = line(frame.left, frame.bottom, frame.right, frame.bottom, "axis");
    for (const double tick : axis.ticks) {
        const double x = frame.x(axis, tick);
        svg +=
            line(x, frame.bottom, x, frame.bottom + 4, "axis") + text(x, frame.bottom + 17, axis.label(tick), "middle");
    }
    return svg + text((frame.left + frame.right) / 2, frame.bottom + 35, title, "middle", " class=\"name\"");
}

std::string yAxis(const Frame &frame, const Axis &axis, const std::string &title)
{
    std::string svg;
    for (const double tick : axis.ticks) {
        const double y = frame.y(axis, tick);
        svg += line(frame.left, y, frame.right, y, "grid") + text(frame.left - 7, y + 4, axis.label(tick), "end");
    }
    return svg + text(frame.left, frame.top - 10, title, "start", " class=\"name\"");
}

/// A horizontal colour scale with its two ends written beside it.
std::string legend(double right, double y, const std::string &title, const std::string &low, const std::string &high)
{
    constexpr int steps = 48;
    constexpr double length = 144;
    const double highWidth = 7.0 * static_cast<double>(displayWidth(high)) + 8;
    const double left = right - highWidth - length;
    std::string svg;
    for (int i = 0; i < steps; ++i)
        svg += "<rect x=\"" + num(left + i * length / steps) + "\" y=\"" + num(y) + "\" width=\"" +
               num(length / steps + 0.5) + "\" height=\"10\" fill=\"" + scaleColour(i / (steps - 1.0)) + "\"/>";
    return svg + "\n" + text(left + length + 6, y + 9, high, "start") +
           text(left - 6, y + 9, title + (title.empty() ? "" : "  ") + low, "end");
}

struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();
};

Range rangeOf(const std::vector<float> &values, bool positiveOnly)
{
    Range range;
    for (const float value : values) {
        if (!std::isfinite(value) || (positiveOnly && value <= 0))
            continue;
        range.low = std::min<double>(range.low, value);
        range.high = std::max<double>(range.high, value);
    }
    if (range.low > range.high)
        range = {0, 1};
    return range;
}

} // namespace

std::string escaped(std::string_view text)
{
    std::string result;
    for (const char c : validUtf8(text)) {
        switch (c) {
        case '&': result += "&amp;"; break;
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        case '"': result += "&quot;"; break;
        case '\'': result += "&#39;"; break;
        default:
            if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
                result += c;
        }
    }
    return result;
}

std::string scaleColour(double share)
{
    return hexColour(scaleRgb(share));
}

std::string svg(const BarChart &chart)
{
    const Frame frame{58, width - 12, 30, 150};
    const Range range = rangeOf(chart.values, false);
    const Axis y = niceAxis(0, std::max(range.high, 1e-6), 4);
    const auto count = static_cast<double>(std::max<std::size_t>(chart.values.size(), 1));
    const Axis x = countAxis(0, count, 12);
    std::string svg = open(frame.bottom + 42, chart.yTitle + " by " + chart.xTitle) + yAxis(frame, y, chart.yTitle);
    const double step = (frame.right - frame.left) / count;
    const double gap = step > 4 ? 1 : 0;
    for (std::size_t i = 0; i < chart.values.size(); ++i) {
        if (!std::isfinite(chart.values[i]))
            continue;
        const double top = frame.y(y, chart.values[i]);
        const double left = frame.left + static_cast<double>(i) * step;
        // The tall transparent bar makes short ones easy to point at.
        svg += "<g class=\"bar\"><rect class=\"hit\" x=\"" + num(left) + "\" y=\"" + num(frame.top) + "\" width=\"" +
               num(step) + "\" height=\"" + num(frame.bottom - frame.top) + "\"/><rect x=\"" + num(left) + "\" y=\"" +
               num(top) + "\" width=\"" + num(std::max(step - gap, 0.5)) + "\" height=\"" +
               num(std::max(frame.bottom - top, 0.5)) + "\"/>" +
               (i < chart.tooltips.size() ? titleOf(chart.tooltips[i]) : "") + "</g>\n";
    }
    if (chart.boundary > 0) {
        const double at = frame.left + static_cast<double>(chart.boundary) * step;
        const bool nearEnd = at > frame.right - 130;
        // To the right of the line, but not over the name of the axis.
        const double label =
            nearEnd ? at - 5
                    : std::max(at + 5, frame.left + 7.0 * static_cast<double>(displayWidth(chart.yTitle)) + 12);
        svg += line(at, frame.top - 4, at, frame.bottom, "mark") +
               text(label, frame.top - 10, chart.boundaryLabel, nearEnd ? "end" : "start", " class=\"marklabel\"");
    }
    return svg + xAxis(frame, x, chart.xTitle) + "</svg>\n";
}

std::string svg(const LineChart &chart)
{
    Range x, y{0, chart.yMax};
    for (const LineSeries &series : chart.series) {
        for (std::size_t i = 0; i < series.x.size(); ++i) {
            x = {std::min(x.low, series.x[i]), std::max(x.high, series.x[i])};
            y.high = chart.yMax > 0 ? chart.yMax : std::max(y.high, series.y[i]);
        }
    }
    if (x.low > x.high)
        x = {0, 1};
    const Frame frame{chart.bytes ? 78.0 : 58.0, width - 12, 30, chart.height - 42};
    Axis yScale = niceAxis(0, std::max(y.high, 1e-9), 4);
    if (chart.bytes)
        yScale = byteAxis(std::max(y.high, 1.0));
    const Axis xScale = countAxis(x.low, std::max(x.high, x.low + 1), 10);
    std::string svg = open(chart.height, chart.yTitle + " by " + chart.xTitle) + yAxis(frame, yScale, chart.yTitle);
    double legendX = frame.right;
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
        const LineSeries &series = chart.series[s];
        std::string points;
        for (std::size_t i = 0; i < series.x.size(); ++i)
            points += num(frame.x(xScale, series.x[i])) + "," +
                      num(frame.y(yScale, std::min(series.y[i], yScale.high))) + " ";
        const std::string style = series.colour.empty() ? "class=\"line s" + std::to_string(s % 6) + "\""
                                                        : "class=\"line\" stroke=\"" + series.colour + "\"";
        svg += "<polyline " + style + " points=\"" + points + "\">" + titleOf(series.name) + "</polyline>\n";
        if (series.x.size() == 1)
            svg += "<circle " + style + " cx=\"" + num(frame.x(xScale, series.x[0])) + "\" cy=\"" +
                   num(frame.y(yScale, series.y[0])) + "\" r=\"2.5\"/>\n";
        if (!chart.legend)
            continue;
        svg += text(legendX, frame.top - 10, series.name, "end");
        legendX -= 7.2 * static_cast<double>(displayWidth(series.name)) + 8;
        svg += "<line " + style + " x1=\"" + num(legendX - 14) + "\" y1=\"" + num(frame.top - 14) + "\" x2=\"" +
               num(legendX) + "\" y2=\"" + num(frame.top - 14) + "\"/>\n";
        legendX -= 30;
    }
    return svg + xAxis(frame, xScale, chart.xTitle) + "</svg>\n";
}

std::string svg(const HeatMap &map)
{
    const double cell = std::clamp(300.0 / static_cast<double>(std::max<std::int64_t>(map.rows, 1)), 1.0, 9.0);
    const Frame frame{58, width - 12, 34, 34 + std::max(60.0, cell * static_cast<double>(map.rows))};
    const Range range = rangeOf(map.values, map.logarithmic);
    const auto scaled = [&](double value) {
        return map.logarithmic ? std::log(std::max(value, range.low) / range.low) / std::log(range.high / range.low)
                               : (value - range.low) / (range.high - range.low);
    };
    std::vector<double> shares;
    for (const float value : map.values)
        shares.push_back(range.high > range.low ? scaled(value) : 0.5);

    std::string svg = open(frame.bottom + 42, map.legendTitle + " by " + map.yTitle + " and " + map.xTitle);
    svg += text(frame.left, frame.top - 12, map.yTitle, "start", " class=\"name\"");
    svg += legend(frame.right, frame.top - 21, map.legendTitle, significant(range.low), significant(range.high));
    svg += "<image x=\"" + num(frame.left) + "\" y=\"" + num(frame.top) + "\" width=\"" +
           num(frame.right - frame.left) + "\" height=\"" + num(frame.bottom - frame.top) +
           "\" preserveAspectRatio=\"none\" href=\"" + imageUri(map.rows, map.columns, shares) + "\"/>\n";
    const double band =
        (frame.bottom - frame.top) / static_cast<double>(std::max<std::size_t>(map.rowLabels.size(), 1));
    const auto every = static_cast<std::size_t>(std::ceil(14.0 / band));
    for (std::size_t i = 0; i < map.rowLabels.size(); i += every)
        svg += text(frame.left - 7, frame.top + (static_cast<double>(i) + 0.5) * band + 4, map.rowLabels[i], "end");
    const auto first = static_cast<double>(map.firstColumn);
    return svg + xAxis(frame, countAxis(first, first + static_cast<double>(map.columns), 12), map.xTitle) + "</svg>\n";
}

std::string svg(const CellMap &map)
{
    const double cellHeight = std::clamp(330.0 / static_cast<double>(std::max<std::int64_t>(map.rows, 1)), 9.0, 26.0);
    const double cellWidth = (halfWidth - 70) / static_cast<double>(std::max<std::int64_t>(map.columns, 1));
    const Frame frame{58, 58 + cellWidth * static_cast<double>(map.columns), 34,
                      34 + cellHeight * static_cast<double>(map.rows)};
    const Range range = rangeOf(map.values, false);
    std::string svg = open(frame.bottom + 42, map.legendTitle + " by layer and head", halfWidth);
    svg += text(frame.left, frame.top - 12, map.yTitle, "start", " class=\"name\"");
    svg += legend(halfWidth - 12, frame.top - 21, map.legendTitle, significant(range.low), significant(range.high));
    for (std::int64_t row = 0; row < map.rows; ++row) {
        for (std::int64_t column = 0; column < map.columns; ++column) {
            const float value = map.values[static_cast<std::size_t>(row * map.columns + column)];
            const double share = range.high > range.low ? (value - range.low) / (range.high - range.low) : 0.5;
            const std::string fill = std::isfinite(value) ? scaleColour(share) : "#8884";
            svg += "<rect class=\"cell\" x=\"" + num(frame.left + static_cast<double>(column) * cellWidth) + "\" y=\"" +
                   num(frame.top + static_cast<double>(row) * cellHeight) + "\" width=\"" + num(cellWidth) +
                   "\" height=\"" + num(cellHeight) + "\" fill=\"" + fill + "\">" +
                   titleOf("layer " + std::to_string(row) + ", head " + std::to_string(column) + ": " +
                           significant(value) + map.unit) +
                   "</rect>\n";
        }
    }
    const auto every = static_cast<std::int64_t>(std::ceil(14.0 / cellHeight));
    for (std::int64_t row = 0; row < map.rows; row += every)
        svg += text(frame.left - 7, frame.top + (static_cast<double>(row) + 0.5) * cellHeight + 4, std::to_string(row),
                    "end");
    const auto everyColumn = static_cast<std::int64_t>(std::ceil(22.0 / cellWidth));
    for (std::int64_t column = 0; column < map.columns; column += everyColumn)
        svg += text(frame.left + (static_cast<double>(column) + 0.5) * cellWidth, frame.bottom + 17,
                    std::to_string(column), "middle");
    return svg + text(frame.left, frame.bottom + 35, map.xTitle, "start", " class=\"name\"") + "</svg>\n";
}

} // namespace lens::cli
