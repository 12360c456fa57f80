// Files of torch.save: a zip archive with a pickle that describes the tensors and one entry of raw bytes per storage.
// Nothing in the file is executed: see pickle.h.
#pragma once

#include "checkpoint/storedtensor.h"

namespace lens {

/// The state dict of the file, out of {"state_dict": ...} where there is such a wrapper. A prefix "module." that all
/// names have is dropped. Tensors may share bytes: tied weights do.
Result<std::vector<StoredTensor>> readTorchFile(const MappedFilePtr &file);

} // namespace lens
