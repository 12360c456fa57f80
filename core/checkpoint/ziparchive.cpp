#include "checkpoint/ziparchive.h"

#include "checkpoint/bytereader.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace lens {

namespace {

constexpr std::string_view kEndMagic = "PK\x05\x06";
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kEntryBytes = 46;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kLongestComment = 0xFFFF;
constexpr std::uint16_t kExtra64 = 1;
constexpr std::uint16_t kEncrypted = 1;
constexpr const char *kAdvice = "download the file again";

struct Directory {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
};

struct DirectoryEntry {
    ZipEntry entry;
    std::uint64_t localHeader = 0;
};

class ZipReader {
public:
    explicit ZipReader(const MappedFile &file) : m_bytes(file.bytes()), m_path(file.path().string()) {}

    Result<std::vector<ZipEntry>> read() const;

private:
    ByteReader at(std::uint64_t offset) const { return {m_bytes.subspan(offset), m_path, offset}; }
    tl::unexpected<Error> malformed(const std::string &what, std::uint64_t offset) const;
    std::optional<std::uint64_t> findEnd() const;
    Result<Directory> readDirectory() const;
    Result<Directory> readDirectory64(std::uint64_t end) const;
    Result<DirectoryEntry> readEntry(ByteReader &reader) const;
    Result<void> readExtra64(ByteReader extra, ZipEntry &entry, std::uint64_t &stored, std::uint64_t &header) const;
    Result<void> locate(DirectoryEntry &found, std::uint64_t limit) const;

    std::span<const std::byte> m_bytes;
    std::string m_path;
};

tl::unexpected<Error> ZipReader::malformed(const std::string &what, std::uint64_t offset) const
{
    return fail(ErrorCode::Malformed, what, m_path + ", offset " + std::to_string(offset), kAdvice);
}

/// The end record is searched from the back, since a comment of any content may follow it.
std::optional<std::uint64_t> ZipReader::findEnd() const
{
    if (m_bytes.size() < kEndBytes)
        return std::nullopt;
    const std::uint64_t first = m_bytes.size() - std::min<std::uint64_t>(m_bytes.size(), kEndBytes + kLongestComment);
    const std::string_view tail(reinterpret_cast<const char *>(m_bytes.data()) + first, m_bytes.size() - first);
    const std::size_t found = tail.rfind(kEndMagic, tail.size() - kEndBytes);
    return found == tail.npos ? std::nullopt : std::optional(first + found);
}

Result<Directory> ZipReader::readDirectory() const
{
    const std::optional<std::uint64_t> end = findEnd();
    if (!end)
        return fail(ErrorCode::Truncated, "the zip archive has no end record", m_path, kAdvice);
    ByteReader reader = at(*end);
    reader.take(10); // signature and disk numbers
    Directory directory;
    directory.entries = reader.read<std::uint16_t>();
    directory.bytes = reader.read<std::uint32_t>();
    directory.offset = reader.read<std::uint32_t>();
    if (directory.entries == 0xFFFF || directory.bytes == 0xFFFFFFFF || directory.offset == 0xFFFFFFFF) {
        const Result<Directory> large = readDirectory64(*end);
        if (!large)
            return propagate(large);
        directory = *large;
    }
    if (directory.offset > *end || directory.bytes > *end - directory.offset ||
        directory.entries > directory.bytes / kEntryBytes)
        return malformed("the directory of the zip archive lies outside the file", *end);
    return directory;
}

Result<Directory> ZipReader::readDirectory64(std::uint64_t end) const
{
    if (end < kLocatorBytes)
        return malformed("the zip archive has no 64-bit end record", end);
    ByteReader locator = at(end - kLocatorBytes);
    const auto signature = locator.read<std::uint32_t>();
    locator.take(4); // disk number
    const auto offset = locator.read<std::uint64_t>();
    if (signature != kLocator64Signature || offset > end)
        return malformed("the zip archive has no 64-bit end record", end - kLocatorBytes);
    ByteReader reader = at(offset);
    const auto endSignature = reader.read<std::uint32_t>();
    reader.take(28); // its size, versions, disk numbers, entries on this disk
    Directory directory;
    directory.entries = reader.read<std::uint64_t>();
    directory.bytes = reader.read<std::uint64_t>();
    directory.offset = reader.read<std::uint64_t>();
    if (!reader.ok() || endSignature != kEnd64Signature)
        return malformed("the 64-bit end record of the zip archive is damaged", offset);
    return directory;
}

Result<DirectoryEntry> ZipReader::readEntry(ByteReader &reader) const
{
    DirectoryEntry found;
    const auto signature = reader.read<std::uint32_t>();
    reader.take(4); // versions
    const auto flags = reader.read<std::uint16_t>();
    const auto method = reader.read<std::uint16_t>();
    reader.take(8); // time, date, checksum
    std::uint64_t stored = reader.read<std::uint32_t>();
    found.entry.size = reader.read<std::uint32_t>();
    const auto nameLength = reader.read<std::uint16_t>();
    const auto extraLength = reader.read<std::uint16_t>();
    const auto commentLength = reader.read<std::uint16_t>();
    reader.take(8); // disk number, attributes
    found.localHeader = reader.read<std::uint32_t>();
    found.entry.name = reader.text(nameLength);
    const std::span<const std::byte> extra = reader.take(extraLength);
    reader.take(commentLength);
    if (!reader.ok())
        return reader.truncated();
    if (signature != kEntrySignature)
        return malformed("the directory of the zip archive is damaged", reader.position());
    const ByteReader extraReader(extra, m_path);
    if (const auto checked = readExtra64(extraReader, found.entry, stored, found.localHeader); !checked)
        return propagate(checked);
    if (method != 0 || (flags & kEncrypted) != 0 || stored != found.entry.size)
        return fail(ErrorCode::Unsupported, "the entry is compressed or encrypted, which torch.save never does",
                    m_path + ", entry " + shortened(found.entry.name), "save the model again with torch.save");
    return found;
}

Result<void> ZipReader::readExtra64(ByteReader extra, ZipEntry &entry, std::uint64_t &stored,
                                    std::uint64_t &header) const
{
    const auto replace = [](std::uint64_t &value, ByteReader &field) {
        if (value == 0xFFFFFFFF)
            value = field.read<std::uint64_t>();
    };
    bool intact = true;
    while (intact && extra.remaining() >= 4) {
        const auto id = extra.read<std::uint16_t>();
        const auto length = extra.read<std::uint16_t>();
        ByteReader field(extra.take(length), m_path);
        if (id == kExtra64) {
            replace(entry.size, field);
            replace(stored, field);
            replace(header, field);
        }
        intact = field.ok() && extra.ok();
    }
    if (intact)
        return {};
    return fail(ErrorCode::Malformed, "the extra fields are damaged", m_path + ", entry " + shortened(entry.name),
                kAdvice);
}

/// Follows the local header to the content. `limit` is where the directory begins.
Result<void> ZipReader::locate(DirectoryEntry &found, std::uint64_t limit) const
{
    if (found.localHeader > limit || limit - found.localHeader < kLocalBytes)
        return malformed("an entry of the zip archive lies outside the file", found.localHeader);
    ByteReader reader = at(found.localHeader);
    const auto signature = reader.read<std::uint32_t>();
    reader.take(22); // version, flags, method, time, date, checksum, sizes: the directory has them
    const auto nameLength = reader.read<std::uint16_t>();
    const auto extraLength = reader.read<std::uint16_t>();
    const std::string_view name = reader.text(nameLength);
    reader.take(extraLength);
    if (!reader.ok() || signature != kLocalSignature || name != found.entry.name)
        return malformed("directory and content of the zip archive disagree", found.localHeader);
    found.entry.offset = found.localHeader + reader.position();
    if (found.entry.offset > limit || found.entry.size > limit - found.entry.offset)
        return fail(ErrorCode::Truncated, "the entry ends beyond the file", m_path + ", entry " + shortened(name),
                    kAdvice);
    return {};
}

Result<std::vector<ZipEntry>> ZipReader::read() const
{
    const Result<Directory> directory = readDirectory();
    if (!directory)
        return propagate(directory);
    ByteReader reader(m_bytes.subspan(directory->offset, directory->bytes), m_path, directory->offset);
    std::vector<ZipEntry> entries;
    std::unordered_set<std::string> names;
    for (std::uint64_t i = 0; i < directory->entries; ++i) {
        Result<DirectoryEntry> found = readEntry(reader);
        if (!found)
            return propagate(found);
        if (found->entry.name.ends_with('/'))
            continue;
        if (const Result<void> checked = locate(*found, directory->offset); !checked)
            return propagate(checked);
        if (!names.insert(found->entry.name).second)
            return malformed("two entries of the zip archive have the same name", found->localHeader);
        entries.push_back(std::move(found->entry));
    }
    std::ranges::sort(entries, {}, [](const ZipEntry &entry) { return std::pair(entry.offset, entry.size); });
    for (std::size_t i = 1; i < entries.size(); ++i)
        if (entries[i].offset < entries[i - 1].offset + entries[i - 1].size)
            return malformed("two entries of the zip archive overlap", entries[i].offset);
    return entries;
}

} // namespace

Result<std::vector<ZipEntry>> readZipEntries(const MappedFile &file)
{
    return ZipReader(file).read();
}

} // namespace lens
