// A sequence's state as a safetensors file: "state.<name>" as ModelState names them, "ids" (int64), "logits" of the
// next token where known, and "fingerprint", the bytes of the model's fingerprint. The metadata repeats what a person
// may want to read.
#pragma once

#include "base/result.h"
#include "engine/sequencerunner.h"
#include "model/modelinfo.h"

#include <string>

namespace lens {

Result<void> saveStateFile(const std::string &file, const SequenceRunner &runner, const ModelInfo &model);

/// ErrorCode::Mismatch for the state of another model, ErrorCode::Malformed for a file that is none; the runner is
/// then as it was.
Result<void> restoreStateFile(const std::string &file, SequenceRunner &runner, const ModelInfo &model);

} // namespace lens
