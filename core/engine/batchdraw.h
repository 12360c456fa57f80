// Choosing the next token of many sequences at once. The same choice as engine/sampler.h makes, up to rounding, for what
// both can do: temperature, top-k and top-p.
#pragma once

#include "base/result.h"
#include "text/tokenizer.h"

#include <ATen/ATen.h>
#include <span>
#include <vector>

namespace lens {

struct Draw {
    double temperature = 1;  ///< 0 takes the greatest logit
    double uniform = 0;      ///< in [0, 1): where in the distribution; see uniformAt()
};

/// logits [N,V] float32, one draw for each row. `topK` 0 and `topP` 1 are off. Throws c10::Error; callers wrap it in
/// guarded(). ErrorCode::Internal when a logit is NaN or infinite.
Result<std::vector<TokenId>> drawTokens(const at::Tensor &logits, std::span<const Draw> draws, int topK, double topP);

} // namespace lens
