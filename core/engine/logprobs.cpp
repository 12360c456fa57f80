#include "engine/logprobs.h"

#include "kernels/logits.h"

#include <algorithm>
#include <cmath>

namespace lens {

double logSumExp(std::span<const float> logits)
{
    if (logits.empty())
        return 0;
    const float greatest = *std::max_element(logits.begin(), logits.end());
    return greatest + std::log(kernels::sumOfExponentials(std::ssize(logits), logits.data(), greatest, 1));
}

std::vector<TokenId> mostProbable(std::span<const float> logits, std::size_t count)
{
    std::vector<TokenId> ids;  // the best so far
    ids.reserve(count + 1);
    for (std::size_t id = 0; id < logits.size() && count > 0; ++id) {
        const auto isAbove = [&](TokenId other) { return logits[id] > logits[static_cast<std::size_t>(other)]; };
        if (ids.size() == count && !isAbove(ids.back()))
            continue;
        const auto place = std::find_if(ids.begin(), ids.end(), isAbove);
        ids.insert(place, static_cast<TokenId>(id));
        ids.resize(std::min(ids.size(), count));
    }
    return ids;
}

} // namespace lens
