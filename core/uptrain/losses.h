// Losses on the vocabulary.
#pragma once

#include <ATen/ATen.h>
#include <utility>

namespace lens {

/// hidden [N,D] (normalised), outputWeight [V,D], targets [N] int64 -> mean nats a token, a float32 scalar.
at::Tensor crossEntropy(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &targets);

/// {mean over tokens of KL(softmax(original / T) || softmax(model / T)) T^2, cross-entropy}, float32 scalars. Nothing
/// of the original gets a gradient.
std::pair<at::Tensor, at::Tensor> distillation(const at::Tensor &hidden, const at::Tensor &outputWeight,
                                               const at::Tensor &originalHidden, const at::Tensor &originalOutputWeight,
                                               const at::Tensor &targets, double temperature);

} // namespace lens
