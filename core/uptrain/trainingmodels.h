// The models of a run: what is trained, and the softmax original beside it.
#pragma once

#include "base/progress.h"
#include "convert/adapter.h"
#include "engine/engine.h"
#include "model/decoder.h"
#include "uptrain/recipe.h"

namespace lens {

struct TrainingModels {
    LoadedModelPtr loaded;                    ///< null when trained from scratch
    std::optional<ModelInfo> base;            ///< the checkpoint as it was before one conversion or none; absent for others
    std::shared_ptr<const Decoder> start;     ///< what training begins with
    std::shared_ptr<const Decoder> original;  ///< in the dtype of the computation; null when there is none
    TokenizerPtr tokenizer;
};

/// Loads and converts, or makes weights from the seed. ErrorCode::Unsupported for models without a tokenizer or that
/// are no decoders, Mismatch when original and model have other layers or vocabularies, InvalidArgument for what
/// checkTrainable() refuses.
Result<TrainingModels> openTrainingModels(const Recipe &recipe, std::stop_token stop, const ProgressFn &progress);

/// The name of a decoder's dtype for Recipe::dtype and saveDtype.
at::ScalarType scalarType(const std::string &name);

/// Writes adapter.safetensors, which loadModel() opens by itself where it finds the base. Returns the largest error that
/// the recipe's storage causes, see writeAdapter().
Result<double> saveTrainedAdapter(SupraAdapter adapter, const ModelInfo &base, const Recipe &recipe, const std::string &folder);

/// Writes a decoder that was trained by `recipe` so that loadModel() opens `folder`, its tokenizer beside it.
Result<void> saveTrained(const std::shared_ptr<const Decoder> &decoder, const TrainingModels &models, const Recipe &recipe,
                         const std::string &folder, SaveFormat format = SaveFormat::SupraLens);

} // namespace lens
