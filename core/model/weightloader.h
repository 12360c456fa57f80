// Reads the tensors that a family asks for: from the file to the wanted device and type, with progress and cancelling.
#pragma once

#include "model/architecture.h"
#include "tensor/hosttransfer.h"
#include "tensor/quantisedweight.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lens {

/// A tensor as the file calls it, and what it has to look like.
struct WantedTensor {
    std::string stored;
    std::vector<std::int64_t> shape;
    bool keepFloat32 = false;  ///< float32 whatever the model computes in: decays, A_log, normalisations of states
};

/// By the names a family uses for its weights.
using WantedTensors = std::map<std::string, WantedTensor>;

/// Looks at headers alone. ErrorCode::Mismatch names the first tensor that is missing or has another shape.
Result<void> checkHeaders(const Checkpoint &checkpoint, const WantedTensors &wanted);

/// Everything in `wanted`, moved to the device and type of `options`; a tensor stored once and wanted under two names
/// in one type is loaded once and shared. Errors: as checkHeaders() and checkFinite(); Cancelled; what
/// Checkpoint::load() says. May throw c10::Error: call it inside guarded().
Result<NamedTensors> loadWeights(const Checkpoint &checkpoint, const WantedTensors &wanted, const BuildOptions &options);

/// ErrorCode::Mismatch, with both shapes, when they differ.
Result<void> checkShape(const std::vector<std::int64_t> &is, const std::vector<std::int64_t> &wanted, const std::string &where);

/// ErrorCode::Malformed when the tensor holds NaN or infinity; on the meta device there is nothing to look at.
Result<void> checkFinite(const at::Tensor &tensor, const std::string &where);

/// Loads tensors one by one, each once. Shapes and values are the caller's business.
class WeightLoader {
public:
    /// Both must outlive it; `totalBytes` is what progress counts up to.
    WeightLoader(const Checkpoint &checkpoint, const BuildOptions &options, std::uint64_t totalBytes);

    /// In the type of the options (or float32), on their device. The same tensor again for the same arguments.
    /// ErrorCode::Mismatch when it is missing, Cancelled, what Checkpoint::load() says.
    Result<at::Tensor> load(const std::string &stored, bool keepFloat32 = false);

    /// A matrix on the CPU in blocks: as they lie in the file where the type was left to us, or made from numbers where
    /// the type asks for them. Nothing for others, which load() gives as numbers.
    Result<std::optional<QuantisedWeight>> loadQuantised(const std::string &stored);

private:
    Result<std::optional<QuantisedWeight>> round(const TensorInfo &info, const std::string &stored, DType blocks);
    at::Tensor onDevice(const at::Tensor &tensor);
    void count(const TensorInfo &info);

    const Checkpoint &m_checkpoint;
    const BuildOptions &m_options;
    at::Device m_device;
    std::optional<Upload> m_upload;  // to a GPU
    DType m_type;
    Progress m_progress;
    std::map<std::pair<std::string, bool>, at::Tensor> m_loaded;
    QuantisedWeights m_rounded;
};

} // namespace lens
