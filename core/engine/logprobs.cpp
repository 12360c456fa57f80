#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lens {

double logSumExp(std::span<const float> logits)
{
    if (logits.empty())
        return 0;
    const double greatest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float x : logits)
        sum += std::exp(x - greatest);
    return greatest + std::log(sum);
}

std::vector<TokenId> mostProbable(std::span<const float> logits, std::size_t count)
{
    count = std::min(count, logits.size());
    std::vector<TokenId> ids(logits.size());
    std::iota(ids.begin(), ids.end(), 0);
    std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                      [&](TokenId a, TokenId b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
    ids.resize(count);
    return ids;
}

} // namespace lens
