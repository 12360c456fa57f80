#include "store/lockfile.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lens {

namespace {

std::string holder(int descriptor)
{
    std::array<char, 32> text{};
    const ssize_t size = ::pread(descriptor, text.data(), text.size() - 1, 0);
    std::string pid;
    for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i)
        pid += text[i];
    return pid.empty() ? "another process" : "process " + pid;
}

} // namespace

Result<std::unique_ptr<LockFile>> LockFile::acquire(const std::string &path)
{
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return fail(
            ErrorCode::Io, std::string("the lock file cannot be opened: ") + std::strerror(errno), path,
            "check that the folder exists and that you may write to it, or open the workspace for reading only");
    std::unique_ptr<LockFile> lock(new LockFile(descriptor));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(ErrorCode::Busy, "the workspace is in use by " + holder(descriptor), path,
                        "close it there, or open another workspace here");
        return fail(ErrorCode::Io, std::string("the file system cannot lock: ") + std::strerror(errno), path,
                    "keep the workspace on a local disk");
    }
    // The lock itself is what counts: on a full disk the name of its holder is missing, and nothing else.
    const std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(descriptor, 0) == 0)
        static_cast<void>(::pwrite(descriptor, text.data(), text.size(), 0) == 0);
    return lock;
}

LockFile::~LockFile()
{
    ::close(m_descriptor);
}

} // namespace lens
