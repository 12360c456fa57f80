// The weights of a decoder under training: float32 masters of what is trained, everything else frozen in the dtype of
// the computation, and what is between the masters and the decoder's own tensors:
//
//   name.weight                    the weight itself, cast to the dtype of the computation
//   name.lora_a [r,in] .lora_b [out,r]   W + alpha/r B A (LoRA, arXiv 2106.09685); B starts at zero
//   layers.N.mixer.log_slope [H]   log s_h, gamma_h = exp(-s_h): a learned decay; folded into the config when done
//   layers.N.mixer.scale [H*dv]    behind the GroupNorm; folded into the output projection when done
#pragma once

#include "convert/adapter.h"
#include "model/decoder.h"
#include "uptrain/recipe.h"

namespace lens {

/// One step's decoder, with low-rank changes as the pairs they are. Its tensors are leaves of their own, so that several micro-batches can be run backward through
/// it before the gradients go on to the masters, once.
struct BoundDecoder {
    std::shared_ptr<const Decoder> decoder;
    std::vector<at::Tensor> assembled;  ///< made from the masters; they require gradients
    std::vector<at::Tensor> leaves;     ///< what the decoder has instead
};

class TrainableWeights {
public:
    /// Masters for everything that any stage of the recipe trains. `start` may have any dtype.
    TrainableWeights(const Decoder &start, const Recipe &recipe, at::ScalarType computeType);

    const DecoderConfig &config() const { return m_config; }
    const NamedTensors &masters() const { return m_masters; }
    at::ScalarType computeType() const { return m_computeType; }

    /// Names of masters that a stage trains, in their order; the others are frozen by it.
    std::vector<std::string> select(Trainable trainable);

    /// A decoder over the present values. Without `gradients` it is a plain model, for evaluation: changes are merged.
    Result<BoundDecoder> bind(bool gradients) const;

    /// Adds the gradients of the decoder's leaves to those of the masters: one backward pass.
    static void pullBack(const BoundDecoder &bound);

    /// Restores masters; ErrorCode::Mismatch when names or shapes differ.
    Result<void> assign(const NamedTensors &masters, const std::string &where);

    /// The decoder as a model of its own: changes merged, scales and decays folded in, in `dtype`. What is frozen comes
    /// from `start`, the decoder that training began with, which is not rounded to the dtype of the computation.
    Result<std::shared_ptr<const Decoder>> folded(at::ScalarType dtype, const std::string &origin, const Decoder &start) const;

    /// What was trained as an adapter; what it says of its base is left empty. For recipes that makesAdapter() is true of.
    Result<SupraAdapter> adapter(const std::string &origin) const;

private:
    void addMaster(const std::string &name, const at::Tensor &value);
    void addLayerMasters(const Recipe &recipe, at::Generator generator);
    void addLora(const std::string &projection, const Recipe &recipe, at::Generator generator);
    void addChanges(NamedTensors &weights) const;
    NamedTensors assembled(bool mergeChanges) const;
    DecoderConfig trainedConfig(const std::string &origin) const;

    DecoderConfig m_config;
    NamedTensors m_frozen;   // every weight of the decoder that has no master of its own
    NamedTensors m_masters;
    double m_loraScale;
    at::ScalarType m_computeType;
};

bool isFeatureMap(const std::string &weight);

/// ErrorCode::InvalidArgument when a stage finds nothing to train in `start`, or a low-rank change is of no lower rank.
Result<void> checkTrainable(const Decoder &start, const Recipe &recipe);

} // namespace lens
