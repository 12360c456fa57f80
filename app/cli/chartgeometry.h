// Where things go in a chart: axes with round ticks, and the colour scale. Numbers only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lens::cli {

struct Axis {
    double low = 0;
    double high = 1;
    std::vector<double> ticks;
    std::function<std::string(double)> label;
};

/// From `low` to a round number from `high` on, with about `count` ticks at 1, 2 or 5 times a power of ten.
Axis niceAxis(double low, double high, int count);

/// Exactly from `low` to `high`; ticks at whole numbers.
Axis countAxis(double low, double high, int count);

/// From 0, ticks in round KiB, MiB or GiB.
Axis byteAxis(double high);

/// The plotting area inside a chart; y grows downwards.
struct Frame {
    double left, right, top, bottom;

    double x(const Axis &axis, double value) const
    {
        return left + (value - axis.low) / (axis.high - axis.low) * (right - left);
    }
    double y(const Axis &axis, double value) const
    {
        return bottom - (value - axis.low) / (axis.high - axis.low) * (bottom - top);
    }
};

using Rgb = std::array<std::uint8_t, 3>;

/// Dark violet over green to yellow, of even lightness steps.
Rgb scaleRgb(double share);
std::string hexColour(const Rgb &colour);

} // namespace lens::cli
