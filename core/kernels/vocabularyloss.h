// The loss of one token's prediction: share KL(original || own) + (1 - share) cross-entropy, both at temperature 1
// (arXiv 1503.02531), and its gradient own - share original - (1 - share) target, in which own and original are softmaxes.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// Logits [vocabulary]. `original` may be null: the loss is cross-entropy then. The gradient, unless null, is multiplied by
/// `scale`, and may lie where `own` does; the loss is not.
float vocabularyLoss(std::int64_t vocabulary, const float *own, const float *original, std::int64_t target, float share, float scale,
                     float *gradient);
float vocabularyLoss(std::int64_t vocabulary, const BFloat16 *own, const BFloat16 *original, std::int64_t target, float share,
                     float scale, BFloat16 *gradient);

} // namespace lens::kernels
