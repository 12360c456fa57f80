#include "plot/colorscale.h"

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

double linearised(double channel)
{
    return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double between(double from, double to, double share)
{
    return from + (to - from) * share;
}

} // namespace

const QList<std::pair<double, QColor>> &colorStops(ColorScale scale)
{
    static const QList<std::pair<double, QColor>> magnitude{
        {0.0, QColor(0x440154)}, {0.1, QColor(0x482475)}, {0.2, QColor(0x414487)}, {0.3, QColor(0x355f8d)},
        {0.4, QColor(0x2a788e)}, {0.5, QColor(0x21918c)}, {0.6, QColor(0x22a884)}, {0.7, QColor(0x44bf70)},
        {0.8, QColor(0x7ad151)}, {0.9, QColor(0xbddf26)}, {1.0, QColor(0xfde725)}};
    static const QList<std::pair<double, QColor>> difference{
        {0.0, QColor(0x2166ac)}, {0.17, QColor(0x4393c3)}, {0.33, QColor(0x92c5de)}, {0.5, QColor(0xffffff)},
        {0.67, QColor(0xf4a582)}, {0.83, QColor(0xd6604d)}, {1.0, QColor(0xb2182b)}};
    return scale == ColorScale::Magnitude ? magnitude : difference;
}

QColor colorAt(ColorScale scale, double position)
{
    const auto &stops = colorStops(scale);
    const double at = std::clamp(position, 0.0, 1.0);
    const auto upper = std::find_if(stops.begin(), stops.end(), [at](const auto &stop) { return stop.first >= at; });
    if (upper == stops.begin())
        return upper->second;
    const auto lower = std::prev(upper);
    const double share = (at - lower->first) / (upper->first - lower->first);
    return QColor::fromRgbF(between(lower->second.redF(), upper->second.redF(), share),
                            between(lower->second.greenF(), upper->second.greenF(), share),
                            between(lower->second.blueF(), upper->second.blueF(), share));
}

QColor curveColor(double position, bool darkBackground)
{
    const double at = std::clamp(position, 0.0, 1.0);
    return colorAt(ColorScale::Magnitude, darkBackground ? between(0.28, 1.0, at) : between(0.0, 0.86, at));
}

double lightness(const QColor &color)
{
    const double luminance = 0.2126 * linearised(color.redF()) + 0.7152 * linearised(color.greenF())
                             + 0.0722 * linearised(color.blueF());
    return luminance > 0.008856 ? 116.0 * std::cbrt(luminance) - 16.0 : 903.3 * luminance;
}

double ValueRange::position(double value, bool logarithmic) const
{
    if (logarithmic && lower > 0 && upper > 0)
        return value <= lower ? 0.0 : std::log(value / lower) / std::log(upper / lower);
    return (value - lower) / (upper - lower);
}

ValueRange usableRange(ValueRange range, bool logarithmic)
{
    if (!std::isfinite(range.lower) || !std::isfinite(range.upper))
        range = {0, 1};
    if (logarithmic) {
        range.upper = range.upper > 0 ? range.upper : 1.0;
        range.lower = range.lower > 0 ? range.lower : range.upper * 1e-4;
    }
    if (range.upper > range.lower)
        return range;
    const double slack = range.lower == 0 ? 1.0 : std::abs(range.lower) * 0.1;
    return logarithmic ? ValueRange{range.lower / 2, range.lower * 2} : ValueRange{range.lower, range.lower + slack};
}

} // namespace lens
