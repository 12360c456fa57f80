// Which stored tensor becomes which weight of a decoder, and the loading of them.
#pragma once

#include "model/architecture.h"
#include "model/decoderconfig.h"

#include <map>
#include <string>

namespace lens {

/// A stored tensor, or some consecutive rows of it (fused projections).
struct WeightSource {
    std::string stored;
    std::int64_t firstRow = 0;
    std::int64_t rows = -1;  ///< -1 = all
};

/// By the weight names of Decoder.
using WeightPlan = std::map<std::string, WeightSource>;

struct DecoderPlan {
    DecoderConfig config;
    WeightPlan weights;
};

/// Loads every tensor once, in the wanted type and on the wanted device, and builds the decoder.
Result<LanguageModelPtr> buildDecoder(const Checkpoint &checkpoint, const DecoderPlan &plan, const BuildOptions &options);

/// ModelInfo of a plan: the config's facts plus what the file says of itself.
ModelInfo inspectPlan(const Checkpoint &checkpoint, const DecoderPlan &plan);

} // namespace lens
