// A checkpoint on disk, whatever its format: a configuration, named tensors, perhaps a vocabulary. Files are mapped
// or read, never executed. Immutable after opening and safe to read from several threads.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "tensor/dtype.h"
#include "text/embeddedvocabulary.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace at {
class Tensor;
}

namespace lens {

enum class CheckpointFormat { HuggingFace, Gguf, Llama2c, OpenLm };

std::string_view name(CheckpointFormat format); ///< "Hugging Face", "GGUF", "llama2.c", "open_lm"

struct TensorInfo {
    std::string name;
    DType dtype = DType::F32;
    std::vector<std::int64_t> shape; ///< row-major, [out, in] for weights, whatever the file's own order
    std::uint64_t bytes = 0;         ///< in the file
};

class Checkpoint {
public:
    virtual ~Checkpoint() = default;

    virtual const std::filesystem::path &path() const = 0;
    virtual CheckpointFormat format() const = 0;

    /// What the format says about the model, in its own words: config.json, open_lm's model_config.json, GGUF's
    /// metadata without its arrays, llama2.c's header fields.
    virtual const nlohmann::json &config() const = 0;

    virtual const std::vector<TensorInfo> &tensors() const = 0;

    /// nullptr when there is no tensor of that name.
    virtual const TensorInfo *find(std::string_view tensor) const = 0;

    /// The tensor on the CPU. With `type` equal to the stored type the result views the mapped file, which stays
    /// mapped as long as the tensor lives; else it is converted (quantised blocks dequantised) tensor by tensor.
    virtual Result<at::Tensor> load(std::string_view tensor, DType type) const = 0;

    /// The bytes of the tensor, a copy of which serves from now on, need not stay in memory.
    virtual void release(std::string_view tensor) const = 0;

    /// The vocabulary inside the file, which lives as long as this; nullptr where the format carries none.
    virtual const EmbeddedVocabulary *vocabulary() const { return nullptr; }

    /// Every file that belongs to it; for size, fingerprint and provenance.
    virtual std::vector<std::filesystem::path> files() const = 0;
};

using CheckpointPtr = std::shared_ptr<const Checkpoint>;

/// Opens a Hugging Face folder, a .gguf, a llama2.c .bin, an open_lm folder or .pt (model_config.json beside it), or
/// a single .safetensors with its config.json beside it. Reads headers only; checks that every tensor lies inside its
/// file and overlaps no other.
Result<CheckpointPtr> openCheckpoint(const std::filesystem::path &path);

/// XXH3-128 over names, types, shapes and bytes of all tensors, in order of name: equal weights, equal fingerprint,
/// whatever the sharding.
Result<std::string> fingerprint(const Checkpoint &checkpoint, std::stop_token stop = {},
                                const ProgressFn &progress = {});

} // namespace lens
