// Geometry of heat maps apart from painting. Cell i of an axis covers [i - 0.5, i + 0.5]. When there are more cells
// than pixels, neighbours are averaged into bins, so that drawing costs what the screen can show.
#pragma once

#include <QtGlobal>

#include <functional>
#include <optional>
#include <vector>

namespace lens {

/// Consecutive bins of `width` cells each; the first bin starts at cell `first`, a multiple of `width`.
struct Bins {
    qsizetype first = 0;
    qsizetype width = 1;
    qsizetype count = 0;

    bool operator==(const Bins &) const = default;
    qsizetype binOf(qsizetype cell) const { return (cell - first) / width; }
    /// Axis coordinate of the middle of a bin.
    double centre(qsizetype bin) const { return double(first + bin * width) + (double(width) - 1) / 2; }
};

/// Bins for the part of `cells` cells seen between two axis coordinates, at most one bin a pixel. Widths are few
/// (1, 2, 3, 4, 6, 8, 12, ...), so that growing data seldom changes them.
Bins binsFor(double lower, double upper, qsizetype cells, qsizetype pixels);

/// The cell under an axis coordinate; nothing outside all cells.
std::optional<qsizetype> nearestCell(double coordinate, qsizetype cells);

using CellValue = std::function<float(qsizetype row, qsizetype column)>;

/// Means of the finite values of each bin into out[(columnBin * rows.count) + rowBin], NaN where there are none, for
/// column bins from `firstColumnBin` on. `rowCells` and `columnCells` bound the last bins.
void fillBins(const Bins &rows, const Bins &columns, qsizetype rowCells, qsizetype columnCells,
              qsizetype firstColumnBin, const CellValue &value, std::vector<float> &out);

} // namespace lens
