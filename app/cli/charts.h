// Charts as inline SVG that takes its colours from the page (classes of reportStyle()).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lens::cli {

/// For text inside HTML or SVG and inside double-quoted attributes. Broken UTF-8 becomes U+FFFD; control characters
/// are dropped.
std::string escaped(std::string_view text);

/// A colour of a perceptually uniform scale for 0..1: "#3e4989".
std::string scaleColour(double share);

struct BarChart {
    std::vector<float> values;         ///< not negative; NaN is left out
    std::vector<std::string> tooltips; ///< one per value
    std::string xTitle, yTitle;
    std::int64_t boundary = -1; ///< a line before this bar
    std::string boundaryLabel;
};

std::string svg(const BarChart &chart);

struct LineSeries {
    std::string name;
    std::vector<double> x, y;
    std::string colour; ///< empty: the n-th of the page
};

struct LineChart {
    std::vector<LineSeries> series;
    std::string xTitle, yTitle;
    bool bytes = false; ///< y ticks in KiB, MiB
    bool legend = true;
    double yMax = 0; ///< 0: from the data
    double height = 240;
};

std::string svg(const LineChart &chart);

/// An image of rows x columns with axes and a colour legend; for many cells.
struct HeatMap {
    std::int64_t rows = 0, columns = 0;
    std::vector<float> values;          ///< row-major; NaN is grey
    std::vector<std::string> rowLabels; ///< as many as there are bands of equal height
    std::int64_t firstColumn = 0;
    std::string xTitle, yTitle, legendTitle;
    bool logarithmic = false;
};

std::string svg(const HeatMap &map);

/// Few cells, each with its own tooltip.
struct CellMap {
    std::int64_t rows = 0, columns = 0;
    std::vector<float> values;
    std::string xTitle, yTitle, legendTitle, unit;
};

std::string svg(const CellMap &map);

} // namespace lens::cli
