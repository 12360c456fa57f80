// The tokenizer and chat template that belong to a checkpoint.
#pragma once

#include "checkpoint/checkpoint.h"
#include "model/architecture.h"
#include "model/modelinfo.h"
#include "text/chattemplate.h"
#include "text/tokenizer.h"

#include <optional>

namespace lens {

struct ModelText {
    TokenizerPtr tokenizer;  ///< null when there is none: the model then works on ids alone
    std::optional<ChatTemplate> chatTemplate;
    std::string chatTemplateNote;
};

/// The family's own kind of tokenizer, else the vocabulary inside the file, else the tokenizer beside it. ErrorCode::Mismatch when the tokenizer has ids that
/// the model has no embedding for.
Result<ModelText> loadModelText(const Checkpoint &checkpoint, const Architecture &architecture, const ModelInfo &info);

} // namespace lens
