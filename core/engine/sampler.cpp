#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace lens {

namespace {

constexpr double lowest = -std::numeric_limits<double>::infinity();

/// Most probable first; equal logits by id, so that the order is the same with every standard library.
bool moreProbable(const Candidate &a, const Candidate &b)
{
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

Result<std::vector<double>> penalised(std::span<const float> logits, std::span<const TokenId> history,
                                      const SamplingOptions &options)
{
    const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return !std::isfinite(x); });
    if (bad != logits.end())
        return fail(ErrorCode::Internal,
                    "the model's logit of token id " + std::to_string(bad - logits.begin()) + " is not a finite number",
                    "token position " + std::to_string(history.size()),
                    "the weights may be damaged, or need a wider dtype such as float32");

    std::vector<double> result(logits.begin(), logits.end());
    for (const auto &[id, bias] : options.logitBias)
        if (static_cast<std::size_t>(id) < result.size())
            result[id] += bias;

    const auto window = static_cast<std::size_t>(options.penaltyWindow);
    if (window > 0 && history.size() > window)
        history = history.last(window);
    if (options.repetitionPenalty == 1.0 && options.frequencyPenalty == 0.0 && options.presencePenalty == 0.0)
        return result;
    std::unordered_map<TokenId, int> seen;
    for (const TokenId id : history)
        ++seen[id];
    for (const auto &[id, count] : seen) {
        if (static_cast<std::size_t>(id) >= result.size())
            continue;
        double &logit = result[id];
        logit = logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty;
        logit -= count * options.frequencyPenalty + options.presencePenalty;
    }
    return result;
}

/// Unnormalised probabilities into `probability`; the greatest becomes one.
void exponentiate(std::vector<Candidate> &list)
{
    double greatest = lowest;
    for (const Candidate &c : list)
        greatest = std::max(greatest, c.logit);
    for (Candidate &c : list)
        c.probability = std::exp(c.logit - greatest);
}

double totalOf(const std::vector<Candidate> &list)
{
    double total = 0;
    for (const Candidate &c : list)
        total += c.probability;
    return total;
}

void keepTopK(std::vector<Candidate> &list, std::size_t k)
{
    std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(k), list.end(), moreProbable);
    list.resize(k);
}

/// A heap, because usually only a few of a large vocabulary are taken.
void keepTopP(std::vector<Candidate> &list, double p)
{
    const auto lessProbable = [](const Candidate &a, const Candidate &b) { return moreProbable(b, a); };
    const double wanted = p * totalOf(list);
    std::make_heap(list.begin(), list.end(), lessProbable);
    std::vector<Candidate> kept;
    double share = 0;
    while (!list.empty() && (kept.empty() || share < wanted)) {
        std::pop_heap(list.begin(), list.end(), lessProbable);
        share += list.back().probability;
        kept.push_back(list.back());
        list.pop_back();
    }
    list = std::move(kept);
}

} // namespace

Result<void> checkSampling(const SamplingOptions &options, std::int64_t vocabulary)
{
    const auto refuse = [](const std::string &what, const std::string &advice) {
        return fail(ErrorCode::InvalidArgument, what, "sampling options", advice);
    };
    if (!(options.temperature >= 0) || !std::isfinite(options.temperature))
        return refuse("the temperature must not be negative", "use 0 for greedy text, or about 0.7");
    if (options.topK < 0)
        return refuse("top-k must not be negative", "use 0 to switch it off");
    if (!(options.topP > 0 && options.topP <= 1))
        return refuse("top-p must be above 0 and at most 1", "use 1 to switch it off");
    if (!(options.minP >= 0 && options.minP <= 1))
        return refuse("min-p must be between 0 and 1", "use 0 to switch it off");
    if (!(options.repetitionPenalty > 0) || !std::isfinite(options.repetitionPenalty))
        return refuse("the repetition penalty must be above 0", "use 1 to switch it off");
    if (!std::isfinite(options.frequencyPenalty) || !std::isfinite(options.presencePenalty))
        return refuse("a penalty is not a finite number", "use 0 to switch it off");
    if (options.penaltyWindow < 0)
        return refuse("the penalty window must not be negative", "use 0 for all tokens");
    for (const auto &[id, bias] : options.logitBias) {
        if (id < 0 || id >= vocabulary)
            return refuse("there is no token id " + std::to_string(id) + " to give a bias to",
                          "ids go from 0 to " + std::to_string(vocabulary - 1));
        if (std::isnan(bias) || bias == -lowest)
            return refuse("the bias of token id " + std::to_string(id) + " is not a number that can be added",
                          "use a finite number, or minus infinity to forbid the token");
    }
    return {};
}

Result<std::vector<Candidate>> candidates(std::span<const float> logits, std::span<const TokenId> history,
                                          const SamplingOptions &options)
{
    auto adjusted = penalised(logits, history, options);
    if (!adjusted)
        return propagate(adjusted);

    const auto best = std::max_element(adjusted->begin(), adjusted->end());
    if (best == adjusted->end() || *best == lowest)
        return fail(ErrorCode::InvalidArgument, "the logit bias forbids every token", "sampling options",
                    "leave at least one token");
    if (options.temperature == 0)
        return std::vector{Candidate{static_cast<TokenId>(best - adjusted->begin()), *best, 1.0}};

    std::vector<Candidate> list;
    list.reserve(adjusted->size());
    for (std::size_t id = 0; id < adjusted->size(); ++id)
        if ((*adjusted)[id] != lowest)
            list.push_back({static_cast<TokenId>(id), ((*adjusted)[id] - *best) / options.temperature, 0});

    const auto k = static_cast<std::size_t>(options.topK);
    if (k > 0 && k < list.size())
        keepTopK(list, k);
    exponentiate(list);
    if (options.topP < 1)
        keepTopP(list, options.topP);
    if (options.minP > 0)
        std::erase_if(list, [&](const Candidate &c) { return c.probability < options.minP; });

    const double total = totalOf(list);
    for (Candidate &c : list) {
        c.logit += *best / options.temperature;
        c.probability /= total;
    }
    return list;
}

Result<TokenId> chooseToken(std::span<const float> logits, std::span<const TokenId> history,
                            const SamplingOptions &options)
{
    const auto list = candidates(logits, history, options);
    if (!list)
        return propagate(list);
    double left = uniformAt(options.seed, history.size());
    for (const Candidate &c : *list) {
        left -= c.probability;
        if (left < 0)
            return c.id;
    }
    // Rounding may leave a sliver above the sum: it belongs to the last candidate that can be drawn at all.
    const auto last = std::find_if(list->rbegin(), list->rend(), [](const Candidate &c) { return c.probability > 0; });
    return last->id;
}

double uniformAt(std::uint64_t seed, std::uint64_t position)
{
    // Two rounds of the SplitMix64 finaliser (Steele, Lea and Flood 2014) over seed and position.
    const auto mix = [](std::uint64_t x) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return x ^ (x >> 31);
    };
    const std::uint64_t bits = mix(mix(seed + 0x9e3779b97f4a7c15u) + (position + 1) * 0x9e3779b97f4a7c15u);
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

} // namespace lens
