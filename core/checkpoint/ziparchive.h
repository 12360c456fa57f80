// The little of the zip format that torch.save uses: entries stored without compression, so that they can be mapped in
// place, with 64-bit sizes. Format: PKWARE's APPNOTE.
#pragma once

#include "tensor/mappedfile.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lens {

struct ZipEntry {
    std::string name;
    std::uint64_t offset = 0; ///< of the content, from the start of the file
    std::uint64_t size = 0;
};

/// All entries but folders, in order of offset. Fails when an entry is compressed, encrypted, outside the file,
/// named twice, or overlaps another. Checksums are not verified: newer versions of torch do not write them.
Result<std::vector<ZipEntry>> readZipEntries(const MappedFile &file);

} // namespace lens
