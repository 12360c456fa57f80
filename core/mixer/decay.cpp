#include "mixer/decay.h"

#include <bit>
#include <cmath>

namespace lens {

namespace {

std::vector<double> lightningSlopes(int heads, std::optional<double> start)
{
    const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(heads)));
    std::vector<double> slopes;
    const double ratio = std::exp2(-8.0 / power);
    const double first = start.value_or(ratio);
    for (int h = 0; h < power; ++h)
        slopes.push_back(first * std::pow(ratio, h));
    if (heads > power) {
        const std::vector<double> finer = lightningSlopes(2 * power, start);
        for (int h = 0; h < heads - power; ++h)
            slopes.push_back(finer[2 * h]);
    }
    return slopes;
}

} // namespace

std::vector<double> decaySlopes(DecayKind kind, int heads, std::optional<double> start)
{
    if (kind == DecayKind::Lightning)
        return lightningSlopes(heads, start);
    std::vector<double> slopes(heads, 0.0);
    if (kind == DecayKind::RetNet)
        for (int h = 0; h < heads; ++h)
            slopes[h] = -std::log1p(-std::exp2(-5.0 - h));  // log1p: plain log is 0 in float32 from h = 20 on
    return slopes;
}

} // namespace lens
