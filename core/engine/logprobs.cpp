#include "engine/logprobs.h"

#include "kernels/logits.h"

#include <algorithm>
#include <cmath>

namespace lens {

double logSumExp(std::span<const float> logits)
{
    if (logits.empty())
        return 0;
    const std::int64_t where = kernels::greatest(std::ssize(logits), logits.data());
    const float greatest = where >= 0 ? logits[static_cast<std::size_t>(where)] : *std::max_element(logits.begin(), logits.end());
    return greatest + std::log(kernels::sumOfExponentials(std::ssize(logits), logits.data(), greatest, 1));
}

std::vector<TokenId> mostProbable(std::span<const float> logits, std::size_t count)
{
    constexpr std::size_t kTogether = 256;
    std::vector<TokenId> ids;  // the best so far
    ids.reserve(count + 1);
    const auto logit = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
    for (std::size_t begin = 0; begin < logits.size() && count > 0; begin += kTogether) {
        const auto some = logits.subspan(begin, std::min(kTogether, logits.size() - begin));
        // Most numbers of a vocabulary are passed over together, since their greatest is too small.
        const std::int64_t best = ids.size() == count ? kernels::greatest(std::ssize(some), some.data()) : -1;
        if (best >= 0 && !(some[static_cast<std::size_t>(best)] > logit(ids.back())))
            continue;
        for (std::size_t id = begin; id < begin + some.size(); ++id) {
            const auto isAbove = [&](TokenId other) { return logits[id] > logit(other); };
            if (ids.size() == count && !isAbove(ids.back()))
                continue;
            const auto place = std::find_if(ids.begin(), ids.end(), isAbove);
            ids.insert(place, static_cast<TokenId>(id));
            ids.resize(std::min(ids.size(), count));
        }
    }
    return ids;
}

} // namespace lens
