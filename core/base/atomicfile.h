// A file that appears under its name only when it is complete: written under a temporary name in the same folder,
// synced, then renamed. Without commit() nothing is left behind.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace lens {

class AtomicFile {
public:
    static Result<AtomicFile> create(const std::filesystem::path &file);

    ~AtomicFile();
    AtomicFile(AtomicFile &&other) noexcept;
    AtomicFile &operator=(AtomicFile &&) = delete;

    /// Bytes written so far.
    std::uint64_t position() const { return m_position; }

    /// ErrorCode::Io when the system refuses, with advice about the disk.
    Result<void> write(std::span<const std::byte> bytes);
    Result<void> write(std::string_view text);

    /// Syncs the content and gives the file its name, replacing what had it before.
    Result<void> commit();

private:
    AtomicFile(std::filesystem::path file, std::filesystem::path temporary, int descriptor);
    tl::unexpected<Error> failure(const std::string &what, int number) const;

    std::filesystem::path m_file;
    std::filesystem::path m_temporary;
    int m_descriptor = -1;
    std::uint64_t m_position = 0;
};

} // namespace lens
