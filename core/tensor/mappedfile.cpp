#include "tensor/mappedfile.h"

#include "tensor/pageguard.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace lens {

namespace {

tl::unexpected<Error> systemFailure(const std::string &what, int number, const std::filesystem::path &path)
{
    const ErrorCode code = number == ENOENT || number == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
    const std::string advice = code == ErrorCode::NotFound ? "check the path"
                               : number == EACCES          ? "check that you may read the file"
                                                           : "";
    return fail(code, what + ": " + std::system_category().message(number), path.string(), advice);
}

} // namespace

MappedFile::MappedFile(std::filesystem::path path, int descriptor, std::span<const std::byte> bytes)
    : m_path(std::move(path)), m_descriptor(descriptor), m_bytes(bytes),
      m_guard(bytes.empty() ? nullptr : std::make_unique<PageGuard>(bytes))
{
}

MappedFile::~MappedFile()
{
    m_guard.reset();  // before others may be given these addresses
    if (!m_bytes.empty())
        ::munmap(const_cast<std::byte *>(m_bytes.data()), m_bytes.size());
    ::close(m_descriptor);
}

Result<MappedFilePtr> MappedFile::open(const std::filesystem::path &path)
{
    // O_NONBLOCK: opening a pipe would otherwise wait for a writer.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return systemFailure("the file cannot be opened", errno, path);
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0) {
        const int number = errno;
        ::close(descriptor);
        return systemFailure("the file cannot be examined", number, path);
    }
    if (!S_ISREG(status.st_mode)) {
        ::close(descriptor);
        return fail(ErrorCode::InvalidArgument, "this is not a regular file", path.string(), "choose a file");
    }
    std::span<const std::byte> bytes;
    if (status.st_size > 0) {
        const auto size = static_cast<std::size_t>(status.st_size);
        void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (address == MAP_FAILED) {
            const int number = errno;
            ::close(descriptor);
            return systemFailure("the file cannot be mapped into memory", number, path);
        }
        bytes = {static_cast<const std::byte *>(address), size};
    }
    return MappedFilePtr(new MappedFile(path, descriptor, bytes));
}

void MappedFile::release(std::span<const std::byte> bytes) const
{
    // Beyond both ends, since whoever reads a page is given its neighbours as well, up to a huge page of them.
    constexpr std::size_t around = 2 << 20;
    const auto begin = static_cast<std::size_t>(bytes.data() - m_bytes.data()), end = begin + bytes.size();
    const std::size_t first = begin / around * around, last = std::min((end + around - 1) / around * around, m_bytes.size());
    if (first < last)
        ::madvise(const_cast<std::byte *>(m_bytes.data()) + first, last - first, MADV_DONTNEED);
}

Result<void> MappedFile::checkUnchanged() const
{
    struct stat status = {};
    if (::fstat(m_descriptor, &status) != 0)
        return systemFailure("the file cannot be examined", errno, m_path);
    if (isCut() || static_cast<std::uint64_t>(status.st_size) < m_bytes.size())
        return fail(ErrorCode::Truncated, "the file was cut short while it was in use", m_path.string(),
                    "restore the file and open it again");
    return {};
}

bool MappedFile::isCut() const
{
    return m_guard && m_guard->wasHit();
}

} // namespace lens
