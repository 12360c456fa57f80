// The position-wise half of a decoder block.
#pragma once

#include "mixer/layers.h"
#include "model/decoderconfig.h"

namespace lens {

struct FeedForward {
    FeedForwardConfig::Kind kind = FeedForwardConfig::Kind::SwiGlu;
    Projection gate, up, down;  ///< gate is unused by Gelu

    at::Tensor operator()(const at::Tensor &x) const;
};

} // namespace lens
