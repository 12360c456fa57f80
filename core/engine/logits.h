// Logits of one position, on the CPU, shared between a sequence and its snapshots.
#pragma once

#include <memory>
#include <vector>

namespace lens {

using Logits = std::shared_ptr<const std::vector<float>>;

} // namespace lens
