// What a stage minimises, forward and backward over one micro-batch.
#pragma once

#include "model/decoder.h"
#include "uptrain/recipe.h"

#include <memory>

namespace lens {

/// Token i of a row is the input, token i + 1 the target.
struct TrainingBatch {
    at::Tensor inputs, targets;  ///< [B,T] int64
};

/// tokens [B,T+1] int64.
TrainingBatch splitTargets(const at::Tensor &tokens);

/// Adds gradients of `weight` times the batch's mean loss to the model's tensors, so that parts of a batch, weighted by
/// their rows, add up to the whole; returns the loss itself, a float64 scalar without a graph. `original` is needed by all
/// objectives but cross-entropy.
at::Tensor forwardBackward(const TrainingStage &stage, const Decoder &model, const Decoder *original,
                           const TrainingBatch &batch, double weight, bool recompute);

/// What a layer's mixer gets and gives in a forward pass of the softmax original.
struct MixerTrace {
    at::Tensor input;   ///< [B,T,D] normalised hidden states
    at::Tensor mixed;   ///< [B,T,H*dv] before the output projection
    at::Tensor output;  ///< [B,T,D]
};

/// Of the layers that `model` has converted to linear; the others stay empty. Without gradients.
std::vector<MixerTrace> traceMixers(const Decoder &original, const Decoder &model, const at::Tensor &inputs);

/// What the mixer of one layer makes of `input`, from an empty state. Gradients as the caller has them.
MixerTrace runMixer(const Decoder &model, std::int64_t layer, const at::Tensor &input);

/// By layer the factors per channel [H*dv], float32, that bring the heads' outputs of the model's linear mixers closest to
/// those of the original, in the least squares over `inputs` [B,T]; undefined for layers that are not converted. GroupNorm
/// gives every head the same size, softmax attention does not.
std::vector<at::Tensor> fittedScales(const Decoder &model, const Decoder &original, const at::Tensor &inputs);

/// Layers and heads have the sizes that comparing mixers needs.
bool haveComparableMixers(const Decoder &model, const Decoder &original);

/// ||y - reference||^2 / ||reference||^2.
at::Tensor relativeError(const at::Tensor &y, const at::Tensor &reference);

} // namespace lens
