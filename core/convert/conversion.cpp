#include "convert/conversion.h"

#include "base/words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <span>

namespace lens {

namespace {

template <class Enum, std::size_t N>
using Words = std::array<std::pair<const char *, Enum>, N>;

constexpr Words<ConversionTarget, 3> kTargets{{{"supra", ConversionTarget::Supra},
                                               {"t2r", ConversionTarget::T2r},
                                               {"linear", ConversionTarget::Linear}}};
constexpr Words<DecayKind, 3> kDecays{{{"lightning", DecayKind::Lightning},
                                       {"retnet", DecayKind::RetNet},
                                       {"none", DecayKind::None}}};
constexpr Words<FeatureMapKind, 4> kFeatures{{{"relu", FeatureMapKind::Relu},
                                              {"elu1", FeatureMapKind::Elu1},
                                              {"hedgehog", FeatureMapKind::Hedgehog},
                                              {"relu-per-head", FeatureMapKind::ReluPerHead}}};
constexpr Words<FeatureInit, 2> kInits{{{"random", FeatureInit::Random}, {"identity", FeatureInit::Identity}}};

template <class Enum, std::size_t N>
const Enum *lookUp(const Words<Enum, N> &words, std::string_view text)
{
    for (const auto &[word, value] : words)
        if (text == word)
            return &value;
    return nullptr;
}

template <class Enum, std::size_t N>
std::string wordFor(const Words<Enum, N> &words, Enum value)
{
    for (const auto &[word, candidate] : words)
        if (candidate == value)
            return word;
    return {};
}

constexpr std::int64_t kMostLayers = 4096;

template <class T>
Result<void> assign(Result<T> parsed, T &value)
{
    if (!parsed)
        return propagate(parsed);
    value = std::move(*parsed);
    return {};
}

std::string toText(double number)
{
    std::array<char, 32> buffer;
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    return std::string(buffer.data(), end);
}

Result<void> parseOption(std::string_view word, ConvertOptions &options)
{
    bool known = true;
    if (word.starts_with("layers="))
        return assign(parseLayers(word.substr(7)), options.layers);
    if (word.starts_with("gammas="))
        return assign(parseGammas(word.substr(7)), options.gammas);
    if (word.starts_with("seed="))
        known = parseNumber(word.substr(5), options.seed);
    else if (const DecayKind *decay = lookUp(kDecays, word))
        options.decay = *decay;
    else if (const FeatureMapKind *features = lookUp(kFeatures, word))
        options.featureMap = *features;
    else if (const FeatureInit *init = lookUp(kInits, word))
        options.init = *init;
    else
        known = false;
    if (!known)
        return fail(ErrorCode::InvalidArgument, "unknown conversion option \"" + std::string(word) + "\"", {},
                    "use lightning, retnet, none, relu, relu-per-head, elu1, hedgehog, random, identity, seed=N, "
                    "layers=N-N,N or gammas=X,X");
    return {};
}

} // namespace

Result<std::vector<std::int64_t>> parseLayers(std::string_view text)
{
    std::set<std::int64_t> layers;
    for (const std::string_view part : split(text, ',')) {
        const std::size_t dash = part.find('-');
        std::int64_t first = 0, last = 0;
        if (!parseNumber(part.substr(0, dash), first) || !parseNumber(dash == part.npos ? part : part.substr(dash + 1), last)
            || last < first || last >= kMostLayers)
            return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is no list of layers", {},
                        "write it as 0-5,8");
        for (std::int64_t layer = first; layer <= last; ++layer)
            layers.insert(layer);
    }
    return std::vector<std::int64_t>(layers.begin(), layers.end());
}

Result<std::vector<double>> parseGammas(std::string_view text)
{
    std::vector<double> gammas;
    for (const std::string_view part : split(text, ',')) {
        double gamma = 0;
        if (!parseNumber(part, gamma) || !(gamma > 0 && gamma <= 1))
            return fail(ErrorCode::InvalidArgument, "\"" + std::string(part) + "\" is no decay", {},
                        "write one number above 0 and up to 1 for each head, with commas");
        gammas.push_back(gamma);
    }
    return gammas;
}

Result<ConvertOptions> parseConversion(std::string_view text)
{
    ConvertOptions options;
    const std::vector<std::string_view> words = split(text, ':');
    const ConversionTarget *target = lookUp(kTargets, words.front());
    if (!target)
        return fail(ErrorCode::InvalidArgument, "unknown conversion \"" + std::string(words.front()) + "\"", {},
                    "use supra, t2r or linear");
    options.target = *target;
    for (const std::string_view word : std::span(words).subspan(1))
        if (auto parsed = parseOption(word, options); !parsed)
            return propagate(parsed);
    return options;
}

std::string toString(const ConvertOptions &options)
{
    std::string text = wordFor(kTargets, options.target);
    if (options.decay)
        text += ":" + wordFor(kDecays, *options.decay);
    if (options.featureMap != FeatureMapKind::Default)
        text += ":" + wordFor(kFeatures, options.featureMap);
    if (options.init != FeatureInit::Random)
        text += ":" + wordFor(kInits, options.init);
    if (options.seed != 0)
        text += ":seed=" + std::to_string(options.seed);
    for (std::size_t i = 0; i < options.layers.size(); ++i)
        text += (i == 0 ? ":layers=" : ",") + std::to_string(options.layers[i]);
    for (std::size_t i = 0; i < options.gammas.size(); ++i)
        text += (i == 0 ? ":gammas=" : ",") + toText(options.gammas[i]);
    return text;
}

} // namespace lens
