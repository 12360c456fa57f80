// Writes zip archives as torch.load expects them: nothing compressed, content aligned to 64 bytes so that it can be
// mapped, 64-bit sizes where needed.
#pragma once

#include "base/atomicfile.h"

#include <vector>

namespace lens {

class ZipWriter {
public:
    explicit ZipWriter(AtomicFile &file) : m_file(file) {}

    Result<void> add(const std::string &name, std::span<const std::byte> content);
    Result<void> add(const std::string &name, std::string_view content);

    /// Writes the directory; nothing can be added afterwards.
    Result<void> finish();

private:
    struct Entry {
        std::string name;
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
        std::uint32_t checksum = 0;
    };

    static std::string localHeader(const Entry &entry, std::uint64_t position);
    static std::string directoryEntry(const Entry &entry);

    AtomicFile &m_file;
    std::vector<Entry> m_entries;
};

} // namespace lens
