// What lies beside the weights and describes the model: config.json or open_lm's model_config.json.
#pragma once

#include "checkpoint/storedcheckpoint.h"

namespace lens {

struct Description {
    CheckpointFormat format = CheckpointFormat::HuggingFace;
    nlohmann::json config = nlohmann::json::object();
    std::vector<std::filesystem::path> files; ///< at most one
};

/// Reads config.json, else model_config.json, of a folder. With neither: no files and an empty configuration.
/// The format is OpenLm for model_config.json and for a config.json of model_type "openlm".
Result<Description> readDescription(const std::filesystem::path &folder);

/// open_lm's names carry prefixes of the program that saved them ("module.", "_orig_mod.", "model."); this drops them.
void dropOpenLmPrefixes(std::vector<StoredTensor> &tensors);

/// Whether these are the tensors of an open_lm model, which cannot be used without its configuration.
bool looksLikeOpenLm(const std::vector<StoredTensor> &tensors);

} // namespace lens
