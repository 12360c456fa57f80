// Which tensors an adapter consists of, and what they do to the weights of its base.
#pragma once

#include "convert/adapter.h"

namespace lens {

class Decoder;

/// ErrorCode::Malformed unless there are exactly the tensors that the configuration asks for and changes that go with it,
/// in the right shapes and finite.
Result<void> checkAdapterTensors(const SupraAdapter &adapter, const std::string &where);

/// Call inside guarded(). `base` must have the shapes of the adapter's configuration, apart from feature maps.
NamedTensors adaptedWeights(const Decoder &base, const SupraAdapter &adapter);

} // namespace lens
