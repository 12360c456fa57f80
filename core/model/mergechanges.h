// What training and adapters put beside a projection, made part of it.
#pragma once

#include "mixer/sequencestate.h"

namespace lens {

/// P.weight += P.lora_b P.lora_a, in float32, for each pair of factors whose matrix is there too; the factors go.
void mergeLowRank(NamedTensors &weights);

/// M.out.weight gets the factors M.scale in its columns, in float32, for each scale whose matrix is there too; the scale goes.
void mergeScales(NamedTensors &weights);

} // namespace lens
