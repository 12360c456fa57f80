// Softmax -> linear, without training. Method and initialisation: "Linearizing Large Language Models"
// (arXiv 2405.06640) and its reference code.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "convert/conversion.h"
#include "model/languagemodel.h"

#include <stop_token>

namespace lens {

/// `source` must be a decoder with softmax layers (ErrorCode::Unsupported otherwise). Weights that do not change are
/// shared with it.
Result<LanguageModelPtr> convert(const LanguageModel &source, const ConvertOptions &options, std::stop_token stop = {},
                                 const ProgressFn &progress = {});

} // namespace lens
