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
/// Default: ReLU(Wx + b) for SUPRA and T2R, elu(x) + 1 for plain linear attention. SUPRA's W spans all heads at once;
/// ReluPerHead is a documented variant of it, one small W a head, which an adapter file has room for. T2R's is per head
/// in either case.
enum class FeatureMapKind { Default, Relu, Elu1, Hedgehog, ReluPerHead };
enum class FeatureInit {
    Random,    ///< the method's own: uniform(+-1/sqrt(fan_in)); nonsense until uptrained
    Identity,  ///< documented variant: W = 1, b = 0; keeps more of the original, still untrained
};

struct ConvertOptions {
    ConversionTarget target = ConversionTarget::Supra;
    std::optional<DecayKind> decay;  ///< absent: lightning for SUPRA, none for the others
    std::vector<double> gammas;      ///< one per query head, each in (0, 1]; outranks `decay`; empty: that holds
    FeatureMapKind featureMap = FeatureMapKind::Default;
    FeatureInit init = FeatureInit::Random;
    std::uint64_t seed = 0;
    std::vector<std::int64_t> layers;  ///< layers to convert; empty = all
};

/// "0-5,8": layers, ascending, each once.
Result<std::vector<std::int64_t>> parseLayers(std::string_view text);

/// "0.9,0.99": numbers in (0, 1].
Result<std::vector<double>> parseGammas(std::string_view text);

/// The part of a model specification after '@': "supra", "t2r:identity", "supra:retnet:seed=3:layers=0-2,5".
Result<ConvertOptions> parseConversion(std::string_view text);
std::string toString(const ConvertOptions &options);

} // namespace lens
