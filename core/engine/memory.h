// How much memory there is, and what fits into it.
#pragma once

#include "model/modelinfo.h"

#include <cstdint>
#include <string>

namespace lens {

/// Free bytes on a device by its name ("cpu", "cuda:0"); 0 when unknown.
std::uint64_t freeMemory(const std::string &device);

/// Tokens that fit, `held` of them being in memory already. Without a bound for recurrent models and where the free
/// memory is unknown. There is no other limit: beyond the trained context a model gets worse, it does not stop.
std::int64_t mostTokensInMemory(const ModelInfo &info, std::int64_t held);

} // namespace lens
