#include "lens/decaymath.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

constexpr int Points = 160;

double roundedUp(double value)
{
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (value <= factor * power * (1 + 1e-12))
            return factor * power;
    return 10 * power;
}

} // namespace

double horizon(double gamma)
{
    if (!(gamma > 0))
        return 0;
    return gamma >= 1 ? std::numeric_limits<double>::infinity() : -1.0 / std::log(gamma);
}

double halfLife(double gamma)
{
    return std::log(2.0) * horizon(gamma);
}

double retention(double gamma, double distance)
{
    return gamma > 0 ? std::pow(gamma, distance) : distance == 0 ? 1.0 : 0.0;
}

std::vector<double> meanGammas(const std::vector<double> &gammas, std::size_t heads)
{
    std::vector<double> means;
    const std::size_t channels = heads > 0 ? gammas.size() / heads : 0;
    for (std::size_t head = 0; head < heads && channels > 0; ++head) {
        double logarithms = 0;
        for (std::size_t channel = 0; channel < channels; ++channel)
            logarithms += std::log(gammas[head * channels + channel]);
        means.push_back(std::exp(logarithms / double(channels)));
    }
    return means;
}

double chartReach(const std::vector<double> &gammas, std::int64_t context)
{
    double longest = 8;
    for (const double gamma : gammas)
        if (const double half = halfLife(gamma); std::isfinite(half))
            longest = std::max(longest, half);
    const double most = context > 0 ? double(context) : 4096.0;
    return std::min(std::max(16.0, roundedUp(2 * longest)), most);
}

std::vector<double> chartDistances(double reach, bool logarithmic)
{
    std::vector<double> distances;
    for (int i = 0; i <= Points; ++i) {
        const double share = double(i) / Points;
        distances.push_back(logarithmic ? std::pow(reach, share) : reach * share);
    }
    return distances;
}

} // namespace lens
