// The words by which the command line names conversions.
#pragma once

#include "convert/conversion.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

namespace lens::cli {

inline const std::map<std::string, ConversionTarget> targetWords = {
    {"supra", ConversionTarget::Supra}, {"t2r", ConversionTarget::T2r}, {"linear", ConversionTarget::Linear}};
inline const std::map<std::string, DecayKind> decayWords = {
    {"lightning", DecayKind::Lightning}, {"retnet", DecayKind::RetNet}, {"none", DecayKind::None}};
inline const std::map<std::string, FeatureMapKind> featureMapWords = {
    {"relu", FeatureMapKind::Relu}, {"elu1", FeatureMapKind::Elu1}, {"hedgehog", FeatureMapKind::Hedgehog},
    {"relu-per-head", FeatureMapKind::ReluPerHead}};
inline const std::map<std::string, FeatureInit> initWords = {{"random", FeatureInit::Random},
                                                             {"identity", FeatureInit::Identity}};

template <class Value>
CLI::Validator oneOf(const std::map<std::string, Value> &words)
{
    return CLI::CheckedTransformer(words).description("");
}

/// An option that `parse` reads into `value`.
template <class Value>
CLI::Option *addParsed(CLI::App &command, const std::string &name, Value &value, Result<Value> (*parse)(std::string_view),
                       const std::string &help)
{
    return command
        .add_option_function<std::string>(
            name,
            [&value, parse, name](const std::string &text) {
                Result<Value> parsed = parse(text);
                if (!parsed)
                    throw CLI::ValidationError(name, parsed.error().what + "; " + parsed.error().advice);
                value = std::move(*parsed);
            },
            help)
        ->option_text("LIST");
}

/// Which layers and which decays, for `convert` and `uptrain` alike.
inline void addConversionLists(CLI::App &command, ConvertOptions &options)
{
    addParsed(command, "--layers", options.layers, parseLayers, "Layers to convert, as in 0-5,8; all by default");
    addParsed(command, "--gammas", options.gammas, parseGammas, "Decays of one's own, one for each head, with commas");
}

} // namespace lens::cli
