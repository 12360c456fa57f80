// What a conversion from softmax to linear attention may choose. Plain data.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

enum class ConversionTarget { Supra, T2r, Linear };
enum class DecayKind { Lightning, RetNet, None };
enum class FeatureMapKind { Relu, Elu1, Hedgehog };
enum class FeatureInit {
    Random,    ///< the method's own: uniform(+-1/sqrt(fan_in)); nonsense until uptrained
    Identity,  ///< documented variant: phi(x) = relu(x); keeps more of the original, still untrained
};

struct ConvertOptions {
    ConversionTarget target = ConversionTarget::Supra;
    DecayKind decay = DecayKind::Lightning;
    FeatureMapKind featureMap = FeatureMapKind::Relu;
    FeatureInit init = FeatureInit::Random;
    std::uint64_t seed = 0;
    std::vector<std::int64_t> layers;  ///< layers to convert; empty = all
};

/// The part of a model specification after '@': "supra", "t2r:identity", "supra:retnet:seed=3:layers=0,2".
Result<ConvertOptions> parseConversion(std::string_view text);
std::string toString(const ConvertOptions &options);

} // namespace lens
