#include "engine/sampler.h"

#include "engine/logprobs.h"
#include "kernels/logits.h"

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

bool changesLogits(const SamplingOptions &options)
{
    return !options.logitBias.empty() || options.repetitionPenalty != 1.0 || options.frequencyPenalty != 0.0
           || options.presencePenalty != 0.0;
}

std::vector<double> penalised(std::span<const float> logits, std::span<const TokenId> history, const SamplingOptions &options)
{
    std::vector<double> result(logits.begin(), logits.end());
    for (const auto &[id, bias] : options.logitBias)
        if (static_cast<std::size_t>(id) < result.size())
            result[id] += bias;

    const auto window = static_cast<std::size_t>(options.penaltyWindow);
    if (window > 0 && history.size() > window)
        history = history.last(window);
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

/// Until they sum up to `wanted`. A heap, because usually only a few of a large vocabulary are taken.
void keepTopP(std::vector<Candidate> &list, double wanted)
{
    const auto lessProbable = [](const Candidate &a, const Candidate &b) { return moreProbable(b, a); };
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

/// What may be drawn, with unnormalised probabilities: that of the best is one.
struct Drawn {
    std::vector<Candidate> list;
    double best = 0;   ///< its logit, which those of the list are relative to, in units of the temperature
    double total = 0;  ///< of all probabilities, those included that top-p cannot keep and the list may lack
};

/// Without bias and penalties: no number of the vocabulary is touched that cannot be drawn.
Drawn unchanged(std::span<const float> logits, float best, const SamplingOptions &options)
{
    Drawn drawn;
    drawn.best = best;
    const auto add = [&](std::size_t id) {
        drawn.list.push_back({static_cast<TokenId>(id), (static_cast<double>(logits[id]) - best) / options.temperature, 0});
    };
    const auto k = static_cast<std::size_t>(options.topK);
    if (k > 0 && k < logits.size()) {
        for (const TokenId id : mostProbable(logits, k))
            add(static_cast<std::size_t>(id));
        exponentiate(drawn.list);
        drawn.total = totalOf(drawn.list);
        return drawn;
    }
    drawn.total = kernels::sumOfExponentials(std::ssize(logits), logits.data(), best, 1 / options.temperature);
    // Even if all were below it, they would sum up to no more than top-p leaves out.
    const double least = (1 - options.topP) * drawn.total / static_cast<double>(logits.size());
    const double floor = options.topP < 1 ? best + std::log(least) * options.temperature : lowest;
    for (std::size_t id = 0; id < logits.size(); ++id)
        if (logits[id] >= floor)
            add(id);
    exponentiate(drawn.list);
    return drawn;
}

/// Top-p, min-p, and probabilities that sum up to one.
std::vector<Candidate> chosenAmong(Drawn drawn, const SamplingOptions &options)
{
    std::vector<Candidate> &list = drawn.list;
    if (options.topP < 1)
        keepTopP(list, options.topP * drawn.total);
    if (options.minP > 0)
        std::erase_if(list, [&](const Candidate &c) { return c.probability < options.minP; });
    const double total = totalOf(list);
    for (Candidate &c : list) {
        c.logit += drawn.best / options.temperature;
        c.probability /= total;
    }
    return std::move(list);
}

std::vector<Candidate> only(std::ptrdiff_t id, double logit)
{
    return {Candidate{static_cast<TokenId>(id), logit, 1.0}};
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

tl::unexpected<Error> logitNotFinite(TokenId id, std::size_t position)
{
    return fail(ErrorCode::Internal, "the model's logit of token id " + std::to_string(id) + " is not a finite number",
                "token position " + std::to_string(position),
                "the weights may be damaged, or need a wider dtype such as float32");
}

tl::unexpected<Error> everyTokenForbidden()
{
    return fail(ErrorCode::InvalidArgument, "the logit bias forbids every token", "sampling options",
                "leave at least one token");
}

Result<std::vector<Candidate>> candidates(std::span<const float> logits, std::span<const TokenId> history,
                                          const SamplingOptions &options)
{
    const std::int64_t greatest = logits.empty() ? -1 : kernels::greatest(std::ssize(logits), logits.data());
    if (greatest < 0 && !logits.empty()) {
        const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return !std::isfinite(x); });
        return logitNotFinite(static_cast<TokenId>(bad - logits.begin()), history.size());
    }
    if (greatest >= 0 && !changesLogits(options)) {
        const float best = logits[static_cast<std::size_t>(greatest)];
        return options.temperature == 0 ? only(greatest, best) : chosenAmong(unchanged(logits, best, options), options);
    }

    const std::vector<double> adjusted = penalised(logits, history, options);
    const auto best = std::max_element(adjusted.begin(), adjusted.end());
    if (best == adjusted.end() || *best == lowest)
        return everyTokenForbidden();
    if (options.temperature == 0)
        return only(best - adjusted.begin(), *best);

    Drawn drawn;
    drawn.best = *best;
    for (std::size_t id = 0; id < adjusted.size(); ++id)
        if (adjusted[id] != lowest)
            drawn.list.push_back({static_cast<TokenId>(id), (adjusted[id] - *best) / options.temperature, 0});
    const auto k = static_cast<std::size_t>(options.topK);
    if (k > 0 && k < drawn.list.size())
        keepTopK(drawn.list, k);
    exponentiate(drawn.list);
    drawn.total = totalOf(drawn.list);
    return chosenAmong(std::move(drawn), options);
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
