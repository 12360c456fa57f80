#include "checkpoint/torchfile.h"

namespace lens {

Result<std::vector<StoredTensor>> readTorchFile(const MappedFilePtr &file)
{
    return fail(ErrorCode::Unsupported, "torch files cannot be read yet", file->path().string());
}

} // namespace lens
