// What a conversion from softmax to linear attention may choose. Plain data.
#pragma once

#include "base/result.h"
#include "mixer/decay.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

enum class ConversionTarget { Supra, T2r, Linear };
/// Default: ReLU(Wx + b) for SUPRA and T2R, elu(x) + 1 for plain linear attention.
enum class FeatureMapKind { Default, Relu, Elu1, Hedgehog };
enum class FeatureInit {
    Random,    ///< the method's own: uniform(+-1/sqrt(fan_in)); nonsense until uptrained
    Identity,  ///< documented variant: W = 1, b = 0; keeps more of the original, still untrained
};

struct ConvertOptions {
    ConversionTarget target = ConversionTarget::Supra;
    std::optional<DecayKind> decay;  ///< absent: lightning for SUPRA, none for the others
    FeatureMapKind featureMap = FeatureMapKind::Default;
    FeatureInit init = FeatureInit::Random;
    std::uint64_t seed = 0;
    std::vector<std::int64_t> layers;  ///< layers to convert; empty = all
};

/// The part of a model specification after '@': "supra", "t2r:identity", "supra:retnet:seed=3:layers=0,2".
Result<ConvertOptions> parseConversion(std::string_view text);
std::string toString(const ConvertOptions &options);

} // namespace lens
