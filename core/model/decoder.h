// The pre-norm decoder: x += mixer(norm(x)); x += feedForward(norm(x)), any mixer in any layer.
#pragma once

#include "checkpoint/checkpoint.h"
#include "model/decoderconfig.h"
#include "model/languagemodel.h"
#include "tensor/mappedfile.h"

namespace lens {

enum class WeightCheck {
    Full,        ///< shapes, and that every number is finite
    ShapesOnly,  ///< for weights that are checked elsewhere: training builds a decoder in every step
};

/// Weights by the names that follow; N counts layers. Biases, norms and feature maps exist where the config says so,
/// biases of projections where they are present. Projections are [out,in].
///
///   embedding.weight [V,D]   embedding_norm.{weight,bias}   norm.{weight,bias}   output.weight [V,D] (unless tied)
///   layers.N.mixer_norm.*    layers.N.ffn_norm.*
///   layers.N.mixer.q [H*di,D]   .k [K*di,D]   .v [K*dv,D]   .out [D,H*dv]   .q_norm   .k_norm [H*dk]
///   layers.N.mixer.feature_map.*   layers.N.mixer.feature_map_k.* (unless shared)
///   layers.N.ffn.gate [F,D]  .up [F,D]  .down [D,F]
///
/// While a decoder is trained more may be given. They belong to no file: a finished model has its slopes in the config, and
/// scales and low-rank changes merged into its projections.
///   layers.N.mixer.log_decay [H] float32   log gamma <= 0, in place of the config's slopes
///   layers.N.mixer.scale [H*dv]            multiplies the mixed heads before the output projection
///   P.lora_a [r,in] .lora_b [out,r]        of any projection P: x A^T B^T is added to its output
class Decoder final : public LanguageModel, public std::enable_shared_from_this<Decoder> {
public:
    /// Takes tensors that are already on one device and in one dtype. ErrorCode::Mismatch names the tensor that is
    /// missing or has another shape than the config says; ErrorCode::Malformed one that holds NaN or infinity.
    /// A matrix may be among the quantised ones instead, if all others are float32 on the CPU.
    static Result<std::shared_ptr<const Decoder>> create(DecoderConfig config, NamedTensors weights, const std::string &where,
                                                         WeightCheck check = WeightCheck::Full, QuantisedWeights quantised = {});

    ~Decoder() override;

    const DecoderConfig &config() const { return m_config; }
    const NamedTensors &weights() const { return m_weights; }
    const QuantisedWeights &quantised() const { return m_quantised; }  ///< what weights() lacks

    /// The same with all weights as tensors: itself where nothing is quantised.
    Result<std::shared_ptr<const Decoder>> expanded() const;

    /// Throws ErrorException when a file that weights lie in was cut short, so that what was computed is worth nothing.
    /// forward() does so at its end.
    void checkFiles() const;

    const SequenceMixer &mixer(std::int64_t layer) const;
    const at::Tensor &outputWeight() const;  ///< [V,D]; the embedding where they are tied; undefined where it is quantised

    ModelInfo describe() const override;
    at::Device device() const override;
    at::ScalarType dtype() const override;
    ModelState initialState(std::int64_t batch) const override;
    at::Tensor forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const override;

private:
    struct Block;
    struct Parts;

    Decoder(DecoderConfig config, NamedTensors weights, QuantisedWeights quantised, std::unique_ptr<Parts> parts);

    static at::Tensor recomputedBlock(const Block &block, const at::Tensor &x, const MixerCall &call);

    DecoderConfig m_config;
    NamedTensors m_weights;
    QuantisedWeights m_quantised;
    std::vector<MappedFilePtr> m_files;  // that weights are views of
    std::unique_ptr<Parts> m_parts;
};

/// Facts that follow from the config alone, with weights and KV cache of `elementBytes` an element; device and dtype
/// stay empty.
ModelInfo describe(const DecoderConfig &config, std::uint64_t elementBytes);

/// Every tensor a config asks for, with its shape: what Decoder::create checks and a writer may rely on.
std::map<std::string, std::vector<std::int64_t>> requiredTensors(const DecoderConfig &config);

} // namespace lens
