// The arithmetic of decay. gamma in (0, 1]; 1 never forgets. Distances in tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lens {

/// ln 2 / -ln(gamma): after so many tokens half is left; infinite for gamma = 1, 0 for gamma <= 0.
double halfLife(double gamma);

/// -1 / ln(gamma): after so many tokens 1/e is left; infinite for gamma = 1, 0 for gamma <= 0.
double horizon(double gamma);

/// gamma^distance.
double retention(double gamma, double distance);

/// Geometric mean of every head's channels: gammas are [heads x channels].
std::vector<double> meanGammas(const std::vector<double> &gammas, std::size_t heads);

/// How far curves are drawn: twice the longest finite half-life, rounded up to 1, 2 or 5 times a power of ten, but at
/// least 16 and at most `context` tokens (when that is known, else 4,096).
double chartReach(const std::vector<double> &gammas, std::int64_t context);

/// Distances at which a curve is drawn: evenly spaced from 0, or evenly on a logarithmic axis from 1.
std::vector<double> chartDistances(double reach, bool logarithmic);

} // namespace lens
