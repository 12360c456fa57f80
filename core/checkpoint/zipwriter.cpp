#include "checkpoint/zipwriter.h"

#include <array>
#include <cstdint>

namespace lens {

namespace {

constexpr std::uint64_t kContentAlignment = 64;
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kExtraHeaderBytes = 4;
constexpr std::uint32_t kSaturated = 0xFFFFFFFF;
constexpr std::uint16_t kUtf8Names = 0x800;
constexpr std::uint16_t kVersion64 = 45;
constexpr std::uint16_t kPaddingId = 0x4246; // the id torch gives its padding

template <class T>
std::string plain(T value)
{
    return {reinterpret_cast<const char *>(&value), sizeof value};
}

std::uint32_t saturated(std::uint64_t value)
{
    return value < kSaturated ? static_cast<std::uint32_t>(value) : kSaturated;
}

constexpr std::array<std::uint32_t, 256> kChecksumTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
        table[i] = value;
    }
    return table;
}();

/// CRC-32 as zip uses it.
std::uint32_t checksum(std::span<const std::byte> bytes)
{
    std::uint32_t value = ~0u;
    for (const std::byte byte : bytes)
        value = kChecksumTable[(value ^ static_cast<std::uint32_t>(byte)) & 0xFF] ^ value >> 8;
    return ~value;
}

/// What local header and directory entry share: version needed to name length.
std::string commonFields(std::uint32_t checksum, std::uint64_t size, std::size_t nameLength)
{
    return plain(kVersion64) + plain(kUtf8Names) + plain(std::uint16_t{0}) + plain(std::uint32_t{0}) + plain(checksum) +
           plain(saturated(size)) + plain(saturated(size)) + plain(static_cast<std::uint16_t>(nameLength));
}

} // namespace

std::string ZipWriter::localHeader(const Entry &entry, std::uint64_t position)
{
    std::string extra;
    if (entry.size >= kSaturated)
        extra = plain(std::uint16_t{1}) + plain(std::uint16_t{16}) + plain(entry.size) + plain(entry.size);
    const std::uint64_t start = position + kLocalHeaderBytes + entry.name.size() + extra.size() + kExtraHeaderBytes;
    const std::uint64_t padding = (kContentAlignment - start % kContentAlignment) % kContentAlignment;
    extra += plain(kPaddingId) + plain(static_cast<std::uint16_t>(padding)) + std::string(padding, 'Z');
    return plain(std::uint32_t{0x04034b50}) + commonFields(entry.checksum, entry.size, entry.name.size()) +
           plain(static_cast<std::uint16_t>(extra.size())) + entry.name + extra;
}

std::string ZipWriter::directoryEntry(const Entry &entry)
{
    std::string fields;
    if (entry.size >= kSaturated)
        fields += plain(entry.size) + plain(entry.size);
    if (entry.offset >= kSaturated)
        fields += plain(entry.offset);
    std::string extra;
    if (!fields.empty())
        extra = plain(std::uint16_t{1}) + plain(static_cast<std::uint16_t>(fields.size())) + fields;
    return plain(std::uint32_t{0x02014b50}) + plain(kVersion64) +
           commonFields(entry.checksum, entry.size, entry.name.size()) +
           plain(static_cast<std::uint16_t>(extra.size())) + plain(std::uint16_t{0}) + plain(std::uint16_t{0}) +
           plain(std::uint16_t{0}) + plain(std::uint32_t{0}) + plain(saturated(entry.offset)) + entry.name + extra;
}

Result<void> ZipWriter::add(const std::string &name, std::span<const std::byte> content)
{
    const Entry entry{name, m_file.position(), content.size(), checksum(content)};
    if (const Result<void> done = m_file.write(localHeader(entry, entry.offset)); !done)
        return done;
    m_entries.push_back(entry);
    return m_file.write(content);
}

Result<void> ZipWriter::add(const std::string &name, std::string_view content)
{
    return add(name, std::as_bytes(std::span(content)));
}

Result<void> ZipWriter::finish()
{
    const std::uint64_t start = m_file.position();
    std::string directory;
    for (const Entry &entry : m_entries)
        directory += directoryEntry(entry);
    const std::uint64_t end = start + directory.size();
    const auto count = static_cast<std::uint64_t>(m_entries.size());
    const bool large = start >= kSaturated || count >= 0xFFFF;
    if (large) {
        directory += plain(std::uint32_t{0x06064b50}) + plain(std::uint64_t{44}) + plain(kVersion64) +
                     plain(kVersion64) + plain(std::uint64_t{0}) + plain(count) + plain(count) + plain(end - start) +
                     plain(start);
        directory += plain(std::uint32_t{0x07064b50}) + plain(std::uint32_t{0}) + plain(end) + plain(std::uint32_t{1});
    }
    const auto shortCount = static_cast<std::uint16_t>(large ? 0xFFFF : count);
    directory += plain(std::uint32_t{0x06054b50}) + plain(std::uint32_t{0}) + plain(shortCount) + plain(shortCount) +
                 plain(saturated(end - start)) + plain(large ? kSaturated : saturated(start)) + plain(std::uint16_t{0});
    return m_file.write(directory);
}

} // namespace lens
