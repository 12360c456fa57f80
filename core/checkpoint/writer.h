// Writing checkpoints: always to a temporary name in the same folder, synced, then renamed.
#pragma once

#include "base/progress.h"
#include "base/result.h"

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>

namespace at {
class Tensor;
}

namespace lens {

using NamedTensors = std::map<std::string, at::Tensor>;

/// One .safetensors file. `metadata` becomes __metadata__. Fails with ErrorCode::Io when the disk is full, leaving
/// what was there before untouched.
Result<void> writeSafetensors(const std::filesystem::path &file, const NamedTensors &tensors,
                              const std::map<std::string, std::string> &metadata = {}, std::stop_token stop = {},
                              const ProgressFn &progress = {});

/// epoch_0.pt in torch's zip format ({"epoch", "name", "state_dict"}) and model_config.json, as open_lm's load_model
/// expects them.
Result<void> writeOpenLm(const std::filesystem::path &folder, const nlohmann::json &modelConfig,
                         const NamedTensors &stateDict, std::stop_token stop = {}, const ProgressFn &progress = {});

/// Any small file (JSON, tokenizer), atomically.
Result<void> writeFileAtomically(const std::filesystem::path &file, std::string_view content);

} // namespace lens
