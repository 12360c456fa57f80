// Which weights a decoder needs.
#pragma once

#include "model/decoder.h"

namespace lens {

/// Whether they are all there, in their shapes. Errors: those of Decoder::create().
Result<void> checkWeights(const DecoderConfig &config, const NamedTensors &weights, const QuantisedWeights &quantised,
                          const std::string &where, WeightCheck check);

} // namespace lens
