// A file mapped into memory, read-only. Tensors that view it hold a shared pointer, so it stays mapped as long as any
// of them lives.
//
// What happens when somebody changes the file meanwhile: a file that is replaced (written elsewhere and renamed over
// it, as this program and package managers do) is harmless, the mapping keeps the old content. Of a file that is cut
// short in place the pages are gone, and whoever reads them would be killed (SIGBUS). While any file is mapped, they are
// replaced by zeros instead, and isCut() says so from then on: what was computed since the last time that it did not is
// worth nothing.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace lens {

class PageGuard;

class MappedFile {
public:
    /// Regular files only. An empty file gives an empty span. Errors: NotFound, Io, InvalidArgument (a folder, a pipe).
    static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path &path);

    ~MappedFile();
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    const std::filesystem::path &path() const { return m_path; }
    std::span<const std::byte> bytes() const { return m_bytes; }

    /// Fails with ErrorCode::Truncated when the file is shorter now than when it was mapped, or was read while it was.
    Result<void> checkUnchanged() const;

    /// Whether somebody has read what is no longer there.
    bool isCut() const;

    /// These bytes of it are hardly read again: their pages need not stay in memory. Reading them brings them back.
    void release(std::span<const std::byte> bytes) const;

private:
    MappedFile(std::filesystem::path path, int descriptor, std::span<const std::byte> bytes);

    std::filesystem::path m_path;
    int m_descriptor;
    std::span<const std::byte> m_bytes;
    std::unique_ptr<const PageGuard> m_guard;  // null for an empty file
};

using MappedFilePtr = std::shared_ptr<const MappedFile>;

} // namespace lens
