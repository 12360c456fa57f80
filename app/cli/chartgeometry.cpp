#include "cli/chartgeometry.h"

#include "cli/format.h"

#include <algorithm>
#include <cmath>

namespace lens::cli {

namespace {

/// 1, 2 or 5 times a power of ten, not below `rough`.
double roundStep(double rough)
{
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough * (1 - 1e-9))
            return factor * power;
    }
    return 10 * power;
}

std::vector<double> ticksFrom(double low, double high, double step)
{
    std::vector<double> ticks;
    for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-6; ++k)
        ticks.push_back(k * step + 0.0); // never a negative zero
    return ticks;
}

} // namespace

Axis niceAxis(double low, double high, int count)
{
    const double step = roundStep((high - low) / count);
    Axis axis;
    axis.low = low;
    axis.high = low + std::ceil((high - low) / step - 1e-9) * step;
    axis.ticks = ticksFrom(axis.low, axis.high, step);
    const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
    axis.label = [decimals](double value) { return fixed(value, std::min(decimals, 8)); };
    return axis;
}

Axis countAxis(double low, double high, int count)
{
    Axis axis;
    axis.low = low;
    axis.high = std::max(high, low + 1);
    axis.ticks = ticksFrom(axis.low, axis.high, std::max(1.0, roundStep((axis.high - axis.low) / count)));
    axis.label = [](double value) { return fixed(value, 0); };
    return axis;
}

Axis byteAxis(double high)
{
    double unit = 1;
    const char *name = " B";
    for (const auto &[size, label] :
         {std::pair(1024.0, " KiB"), std::pair(1048576.0, " MiB"), std::pair(1073741824.0, " GiB")}) {
        if (high >= 2 * size) {
            unit = size;
            name = label;
        }
    }
    Axis axis = niceAxis(0, high / unit, 4);
    axis.high *= unit;
    for (double &tick : axis.ticks)
        tick *= unit;
    axis.label = [unit, name, plain = axis.label](double value) {
        return value == 0 ? "0" : plain(value / unit) + name;
    };
    return axis;
}

Rgb scaleRgb(double share)
{
    static constexpr std::array<Rgb, 10> anchors = {{{68, 1, 84},
                                                     {72, 40, 120},
                                                     {62, 73, 137},
                                                     {49, 104, 142},
                                                     {38, 130, 142},
                                                     {31, 158, 137},
                                                     {53, 183, 121},
                                                     {110, 206, 88},
                                                     {181, 222, 43},
                                                     {253, 231, 37}}};
    const double place = std::clamp(std::isfinite(share) ? share : 0.0, 0.0, 1.0) * (anchors.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(place), anchors.size() - 2);
    const double rest = place - static_cast<double>(below);
    Rgb colour;
    for (std::size_t c = 0; c < 3; ++c)
        colour[c] =
            static_cast<std::uint8_t>(std::lround(anchors[below][c] * (1 - rest) + anchors[below + 1][c] * rest));
    return colour;
}

std::string hexColour(const Rgb &colour)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string text = "#";
    for (const std::uint8_t part : colour)
        text += {digits[part >> 4], digits[part & 15]};
    return text;
}

} // namespace lens::cli
