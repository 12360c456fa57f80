// Facts about weights that are in memory.
#pragma once

#include "mixer/sequencestate.h"
#include "model/modelinfo.h"

namespace lens {

/// Sets parameters, weightBytes, dtype ("float32") and device ("cuda:0"). A tensor under two names counts once.
void addWeightFacts(ModelInfo &info, const NamedTensors &weights, at::ScalarType dtype, const at::Device &device);

} // namespace lens
