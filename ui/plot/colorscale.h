// Colours for numbers. Pure functions; the same stops are handed to QCustomPlot's gradient.
#pragma once

#include <QColor>
#include <QList>

#include <utility>

namespace lens {

enum class ColorScale {
    Magnitude,   ///< viridis: lightness grows evenly with the value, also in grey and for the colour-blind
    Difference,  ///< blue - white - red, white at the middle
};

/// Stops at growing positions in [0, 1]; colours between them are interpolated linearly in RGB.
const QList<std::pair<double, QColor>> &colorStops(ColorScale scale);

/// Colour at `position`, clamped to [0, 1].
QColor colorAt(ColorScale scale, double position);

/// `count` colours for curves, apart from each other and from the background: the scale's ends that would vanish on
/// it are left out.
QColor curveColor(double position, bool darkBackground);

/// CIE L* (0..100) of a colour, for the test that the scale is even.
double lightness(const QColor &color);

/// A range from lower to upper values; symmetric() is what a difference scale needs for white to mean zero.
struct ValueRange {
    double lower = 0;
    double upper = 1;

    static ValueRange symmetric(double magnitude) { return {-magnitude, magnitude}; }
    /// Where `value` lies, 0 at lower and 1 at upper; logarithmic when asked and both ends are positive.
    double position(double value, bool logarithmic = false) const;
};

/// Never empty: equal or unordered ends are moved apart; for logarithmic scales both ends become positive.
ValueRange usableRange(ValueRange range, bool logarithmic);

} // namespace lens
