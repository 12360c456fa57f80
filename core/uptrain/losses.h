// Losses on the vocabulary. Logits of a block of tokens at a time are held, never those of all: the gradients are made
// in the forward pass, while the block's logits are there.
#pragma once

#include <ATen/ATen.h>

namespace lens {

/// hidden [N,D] (normalised), outputWeight [V,D], targets [N] int64, -1 where a token does not count -> mean nats a
/// token, a float32 scalar (double for double; 0 when no token counts). Products are in the dtype of the inputs, the
/// softmax in float32.
at::Tensor crossEntropy(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &targets);

struct DistillationMix {
    double temperature = 1.0;  ///< T
    double share = 1.0;        ///< of the divergence in the loss; the rest is cross-entropy
};

/// share * T^2 * mean over the tokens that count of KL(softmax(original / T) || softmax(model / T))
/// + (1 - share) * crossEntropy(). Nothing of the original gets a gradient. "Distilling the knowledge in a neural
/// network" (arXiv 1503.02531).
at::Tensor distillation(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &originalHidden,
                        const at::Tensor &originalOutputWeight, const at::Tensor &targets, const DistillationMix &mix);

} // namespace lens
