#include "base/atomicfile.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <random>
#include <system_error>
#include <unistd.h>

namespace lens {

namespace {

constexpr std::size_t kWrittenAtOnce = 64u << 20;

std::filesystem::path folderOf(const std::filesystem::path &file)
{
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

tl::unexpected<Error> systemFailure(const std::string &what, int number, const std::filesystem::path &file)
{
    const bool full = number == ENOSPC || number == EDQUOT;
    return fail(ErrorCode::Io, what + ": " + std::system_category().message(number), file.string(),
                full ? "make room on the disk or choose another folder" : "check the folder and its permissions");
}

/// Makes the new name durable; not every file system can, and the content is safe without it.
void syncFolder(const std::filesystem::path &folder)
{
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    ::fsync(descriptor);
    ::close(descriptor);
}

} // namespace

AtomicFile::AtomicFile(std::filesystem::path file, std::filesystem::path temporary, int descriptor)
    : m_file(std::move(file)), m_temporary(std::move(temporary)), m_descriptor(descriptor)
{
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : m_file(std::move(other.m_file)), m_temporary(std::move(other.m_temporary)),
      m_descriptor(std::exchange(other.m_descriptor, -1)), m_position(other.m_position)
{
}

AtomicFile::~AtomicFile()
{
    if (m_descriptor < 0)
        return;
    ::close(m_descriptor);
    ::unlink(m_temporary.c_str());
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path &file)
{
    std::random_device random;
    const std::filesystem::path temporary =
        folderOf(file) / ("." + file.filename().string() + "." + std::to_string(random()) + ".part");
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return systemFailure("the file cannot be created", errno, file);
    return AtomicFile(file, temporary, descriptor);
}

tl::unexpected<Error> AtomicFile::failure(const std::string &what, int number) const
{
    return systemFailure(what, number, m_file);
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes)
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(m_descriptor, bytes.data(), std::min(bytes.size(), kWrittenAtOnce));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return failure("the file cannot be written", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        m_position += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<void> AtomicFile::write(std::string_view text)
{
    return write(std::as_bytes(std::span(text)));
}

Result<void> AtomicFile::commit()
{
    if (::fsync(m_descriptor) != 0)
        return failure("the file cannot be written", errno);
    if (::rename(m_temporary.c_str(), m_file.c_str()) != 0)
        return failure("the file cannot be put in place", errno);
    ::close(std::exchange(m_descriptor, -1));
    syncFolder(folderOf(m_file));
    return {};
}

} // namespace lens
