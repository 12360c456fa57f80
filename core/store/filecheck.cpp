#include "store/filecheck.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace lens {

namespace {

namespace fs = std::filesystem;

using Header = std::array<unsigned char, 100>;

constexpr std::string_view magic("SQLite format 3\0", 16);

std::uint32_t bigEndian32(const Header &header, std::size_t offset)
{
    return std::uint32_t(header[offset]) << 24 | std::uint32_t(header[offset + 1]) << 16 |
           std::uint32_t(header[offset + 2]) << 8 | std::uint32_t(header[offset + 3]);
}

std::uint64_t sizeOf(const std::string &path)
{
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    return error ? 0 : size;
}

bool exists(const std::string &path)
{
    std::error_code error;
    return fs::exists(path, error);
}

/// A journal without its file, or a log that the file did not write: replaying it would damage what is there.
Result<void> examineNeighbours(const std::string &path, bool present)
{
    for (const char *suffix : {"-wal", "-journal"}) {
        const std::string neighbour = path + suffix;
        if (!present && exists(neighbour))
            return fail(ErrorCode::NotFound, "the workspace is missing, but a journal of it is there", neighbour,
                        "put the workspace file back beside it, or move the journal away");
    }
    if (sizeOf(path + "-wal") > 0)
        return fail(ErrorCode::Malformed, "beside the workspace lies a write-ahead log that it did not write",
                    path + "-wal",
                    "move that file away, or, if another program wrote to the workspace, run: "
                    "sqlite3 FILE 'PRAGMA journal_mode=DELETE'");
    return {};
}

Result<void> examineHeader(const std::string &path, const Header &header, std::uint64_t size)
{
    if (std::memcmp(header.data(), magic.data(), std::min<std::uint64_t>(size, magic.size())) != 0)
        return fail(ErrorCode::Malformed, "this is not a workspace: the file does not begin as an SQLite database does",
                    path, "choose another file, or move this one away to start a new workspace here");
    if (size < header.size())
        return fail(ErrorCode::Truncated, "the file ends inside its header, after " + std::to_string(size) + " bytes",
                    path, "restore it from a backup");
    if (bigEndian32(header, 68) != std::uint32_t(workspaceApplicationId))
        return fail(ErrorCode::Unsupported, "this is a database of another program", path,
                    "choose another file; nothing was changed in this one");
    const std::uint64_t pageSize = header[16] == 0 && header[17] == 1 ? 65536 : header[16] * 256u + header[17];
    const std::uint64_t announced = pageSize * bigEndian32(header, 28);
    // With a journal beside it the file is in the middle of a change, and SQLite restores its size first.
    if (size < announced && !exists(path + "-journal"))
        return fail(ErrorCode::Truncated,
                    "the file ends at byte " + std::to_string(size) + " of " + std::to_string(announced), path,
                    "restore it from a backup, or rescue what can be read with: sqlite3 FILE .recover");
    return {};
}

} // namespace

Result<bool> examineFile(const std::string &path)
{
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
        if (auto neighbours = examineNeighbours(path, false); !neighbours)
            return propagate(neighbours);
        return false;
    }
    if (status.type() != fs::file_type::regular)
        return fail(ErrorCode::Io, error ? error.message() : "this is not a file", path, "choose a file");
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return fail(ErrorCode::Io, std::string("the file cannot be read: ") + std::strerror(errno), path,
                    "check its permissions");
    const std::uint64_t size = sizeOf(path);
    if (size == 0)
        return fail(ErrorCode::Truncated, "the file is empty", path,
                    "restore it from a backup, or remove it to start a new workspace here");
    Header header{};
    file.read(reinterpret_cast<char *>(header.data()), header.size());
    if (auto good = examineHeader(path, header, size); !good)
        return propagate(good);
    if (auto neighbours = examineNeighbours(path, true); !neighbours)
        return propagate(neighbours);
    return true;
}

} // namespace lens
