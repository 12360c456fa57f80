// Writing a model to disk, in this program's own form or as linear_open_lm expects it.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "model/languagemodel.h"

#include <filesystem>
#include <stop_token>

namespace lens {

/// config.json and model.safetensors, the weights in the dtype they have.
Result<void> exportNative(const LanguageModel &model, const std::filesystem::path &folder, std::stop_token stop = {},
                          const ProgressFn &progress = {});

/// model_config.json and epoch_0.pt, float32, query and key rows (and the feature map on both sides) brought to the
/// half-split order of open_lm's "rotary". ErrorCode::Unsupported for what open_lm cannot express: biases, T2R and
/// plain linear attention, hybrids, feature maps per head, decays of one's own, other RoPE scaling than linear,
/// sliding windows.
Result<void> exportOpenLm(const LanguageModel &model, const std::filesystem::path &folder, std::stop_token stop = {},
                          const ProgressFn &progress = {});

} // namespace lens
