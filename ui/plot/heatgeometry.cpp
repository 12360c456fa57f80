#include "plot/heatgeometry.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

qsizetype binWidth(qsizetype cells, qsizetype pixels)
{
    const qsizetype needed = (cells + pixels - 1) / pixels;
    qsizetype width = 1;
    while (width < needed)
        width = width < 3 ? width + 1 : (width & (width - 1)) == 0 ? width / 2 * 3 : width / 3 * 4;
    return width;
}

} // namespace

Bins binsFor(double lower, double upper, qsizetype cells, qsizetype pixels)
{
    if (cells <= 0 || pixels <= 0 || !(upper > lower))
        return {};
    const auto last = double(cells - 1);
    const auto from = qsizetype(std::clamp(std::floor(lower + 0.5), 0.0, last));
    const auto to = qsizetype(std::clamp(std::ceil(upper - 0.5), double(from), last));
    Bins bins;
    bins.width = binWidth(to - from + 1, pixels);
    bins.first = from / bins.width * bins.width;
    bins.count = (to - bins.first) / bins.width + 1;
    return bins;
}

std::optional<qsizetype> nearestCell(double coordinate, qsizetype cells)
{
    const double cell = std::floor(coordinate + 0.5);
    if (!(cell >= 0) || cell >= double(cells))
        return std::nullopt;
    return qsizetype(cell);
}

void fillBins(const Bins &rows, const Bins &columns, qsizetype rowCells, qsizetype columnCells,
              qsizetype firstColumnBin, const CellValue &value, std::vector<float> &out)
{
    out.resize(std::size_t(rows.count * columns.count));
    std::vector<double> sums;
    std::vector<int> counts;
    for (qsizetype bin = firstColumnBin; bin < columns.count; ++bin) {
        sums.assign(std::size_t(rows.count), 0);
        counts.assign(std::size_t(rows.count), 0);
        const qsizetype from = columns.first + bin * columns.width;
        const qsizetype to = std::min(from + columns.width, columnCells);
        const qsizetype lastRow = std::min(rows.first + rows.count * rows.width, rowCells);
        for (qsizetype column = from; column < to; ++column) {
            for (qsizetype row = rows.first; row < lastRow; ++row) {
                const float cell = value(row, column);
                if (!std::isfinite(cell))
                    continue;
                sums[std::size_t(rows.binOf(row))] += cell;
                ++counts[std::size_t(rows.binOf(row))];
            }
        }
        for (qsizetype row = 0; row < rows.count; ++row) {
            const int count = counts[std::size_t(row)];
            out[std::size_t(bin * rows.count + row)]
                = count ? float(sums[std::size_t(row)] / count) : std::numeric_limits<float>::quiet_NaN();
        }
    }
}

} // namespace lens
