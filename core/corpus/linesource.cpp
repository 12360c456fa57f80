#include "corpus/linesource.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <zlib.h>

namespace lens {

namespace {

constexpr std::size_t kReadAtOnce = 1u << 20;
constexpr const char *byteOrderMark = "\xef\xbb\xbf";

tl::unexpected<Error> systemFailure(const std::string &what, int number, const std::string &file)
{
    const bool missing = number == ENOENT || number == ENOTDIR;
    return fail(missing ? ErrorCode::NotFound : ErrorCode::Io, what + ": " + std::system_category().message(number), file,
                missing ? "check the path" : number == EACCES ? "check that you may read the file" : "");
}

} // namespace

struct LineSource::Stream {
    gzFile file;

    explicit Stream(gzFile opened) : file(opened) {}
    ~Stream() { gzclose(file); }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;
};

LineSource::LineSource(std::string file, std::uint64_t size, std::unique_ptr<Stream> stream)
    : m_file(std::move(file)), m_size(size), m_stream(std::move(stream)), m_buffer(kReadAtOnce)
{
}

LineSource::~LineSource() = default;
LineSource::LineSource(LineSource &&) noexcept = default;
LineSource &LineSource::operator=(LineSource &&) noexcept = default;

Result<LineSource> LineSource::open(const std::string &file)
{
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return systemFailure("the file cannot be opened", errno, file);
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(descriptor);
        return fail(ErrorCode::InvalidArgument, "this is not a regular file", file, "choose a file of text");
    }
    const gzFile opened = gzdopen(descriptor, "rb");
    if (!opened) {
        ::close(descriptor);
        return fail(ErrorCode::OutOfMemory, "there is no memory to unpack the file with", file);
    }
    auto stream = std::make_unique<Stream>(opened);
    gzbuffer(opened, kReadAtOnce / 4);
    // Looks at the first bytes; a file that is not gzip is then read as it is.
    if (gzdirect(opened) != 0 && status.st_size > 0 && std::filesystem::path(file).extension() == ".gz")
        return fail(ErrorCode::Malformed, "the file is called .gz but is not compressed with gzip", file,
                    "rename it, or fetch it again");
    return LineSource(file, static_cast<std::uint64_t>(status.st_size), std::move(stream));
}

std::string LineSource::where() const
{
    return m_file + ", line " + std::to_string(m_line);
}

std::uint64_t LineSource::position() const
{
    const z_off_t offset = gzoffset(m_stream->file);
    return offset < 0 ? m_size : std::min<std::uint64_t>(static_cast<std::uint64_t>(offset), m_size);
}

/// More bytes behind those not yet taken; false at the end of the file.
Result<bool> LineSource::fill()
{
    if (m_begin > 0) {
        std::copy(m_buffer.begin() + m_begin, m_buffer.begin() + m_end, m_buffer.begin());
        m_end -= m_begin;
        m_begin = 0;
    }
    if (m_end == m_buffer.size())
        m_buffer.resize(m_buffer.size() * 2);
    const std::size_t room = std::min(m_buffer.size() - m_end, kReadAtOnce);
    const int count = gzread(m_stream->file, m_buffer.data() + m_end, static_cast<unsigned>(room));
    int code = Z_OK;
    const char *message = gzerror(m_stream->file, &code);
    const std::string place = m_file + ", after line " + std::to_string(m_line);
    if (code == Z_BUF_ERROR)
        return fail(ErrorCode::Truncated, "the compressed data ends in the middle", place,
                    "fetch or write the file again");
    if (code == Z_ERRNO)
        return systemFailure("the file cannot be read", errno, place);
    if (count < 0 || code != Z_OK)
        return fail(ErrorCode::Malformed, std::string("the compressed data is damaged: ") + message, place,
                    "fetch or write the file again");
    m_end += static_cast<std::size_t>(count);
    return count > 0;
}

Result<std::optional<std::string>> LineSource::next()
{
    std::size_t searched = 0;
    const char *end = nullptr;
    while (true) {
        const char *from = m_buffer.data() + m_begin + searched;
        end = static_cast<const char *>(std::memchr(from, '\n', m_end - m_begin - searched));
        if (end)
            break;
        searched = m_end - m_begin;
        if (searched > longestLine)
            return fail(ErrorCode::LimitExceeded, "a line is longer than 256 MiB",
                        m_file + ", line " + std::to_string(m_line + 1), "break the text into lines");
        const Result<bool> more = fill();
        if (!more)
            return propagate(more);
        if (!*more)
            break;
    }
    if (!end && m_begin == m_end)
        return std::optional<std::string>();
    const char *begin = m_buffer.data() + m_begin;
    std::string line(begin, end ? end : m_buffer.data() + m_end);
    m_begin = end ? static_cast<std::size_t>(end - m_buffer.data()) + 1 : m_end;
    if (!line.empty() && line.back() == '\r')
        line.pop_back();
    if (m_line++ == 0 && line.rfind(byteOrderMark, 0) == 0)
        line.erase(0, std::strlen(byteOrderMark));
    return std::optional<std::string>(std::move(line));
}

} // namespace lens
