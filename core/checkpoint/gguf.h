// The GGUF format, versions 2 and 3, little-endian: header, metadata, tensor descriptions, data. Tensors keep their
// names in the file (blk.0.attn_q.weight) and their row order; shapes are turned into [out, in].
#pragma once

#include "checkpoint/storedcheckpoint.h"

namespace lens {

/// Errors: Unsupported for other versions, for files split into several, and for element types not in DType.
Result<CheckpointContent> readGguf(const MappedFilePtr &file);

} // namespace lens
