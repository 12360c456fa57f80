// Tar archives in the ustar format (POSIX.1-1988), as WebDataset reads them. Its own sixty lines, since regular files with
// short names are all that a shard has, and a library for that would be one more to ship.
#pragma once

#include "base/atomicfile.h"

namespace lens {

class TarWriter {
public:
    explicit TarWriter(AtomicFile &file) : m_file(file) {}

    /// A regular file of mode 0644 and time 0, so that equal contents give equal archives. ErrorCode::LimitExceeded for
    /// names of more than 99 bytes or contents of 8 GiB and more.
    Result<void> add(const std::string &name, std::string_view content);

    /// Two empty blocks. Nothing can be added afterwards.
    Result<void> finish();

private:
    AtomicFile &m_file;
};

} // namespace lens
