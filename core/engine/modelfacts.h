// What a ModelInfo says about the file a model came from, as opposed to what the model knows of itself.
#pragma once

#include "checkpoint/checkpoint.h"
#include "model/modelinfo.h"

namespace lens {

/// Fills name, path, storage and file size, and format and licence where they are empty; the rest of `info` stays.
void addFileFacts(ModelInfo &info, const Checkpoint &checkpoint, const std::string &path);

/// `described`, with everything that the model itself does not know taken from `known`.
ModelInfo withKnownFacts(ModelInfo described, const ModelInfo &known);

} // namespace lens
