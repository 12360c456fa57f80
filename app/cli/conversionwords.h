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
    {"relu", FeatureMapKind::Relu}, {"elu1", FeatureMapKind::Elu1}, {"hedgehog", FeatureMapKind::Hedgehog}};
inline const std::map<std::string, FeatureInit> initWords = {{"random", FeatureInit::Random},
                                                             {"identity", FeatureInit::Identity}};

template <class Value>
CLI::Validator oneOf(const std::map<std::string, Value> &words)
{
    return CLI::CheckedTransformer(words).description("");
}

} // namespace lens::cli
