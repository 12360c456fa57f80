// The tensors of a model in one or several files, safetensors or torch's zip format, and the index that names the
// files.
#pragma once

#include "checkpoint/storedtensor.h"

namespace lens {

struct Weights {
    std::vector<StoredTensor> tensors;
    std::vector<std::filesystem::path> files; ///< the index, if any, and the shards
};

/// One .safetensors, .pt, .pth or .bin file.
Result<Weights> readWeights(const std::filesystem::path &file);

/// model.safetensors.index.json or pytorch_model.bin.index.json and the files it names. The names must be plain, the
/// files must lie in the same folder (or in the blobs of the same Hugging Face cache), and index and files must agree
/// about every tensor and the total size.
Result<Weights> readShards(const std::filesystem::path &index);

} // namespace lens
