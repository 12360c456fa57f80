#include "corpus/lineappender.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>
#include <zlib.h>

namespace lens {

namespace {

constexpr std::size_t kReadAtOnce = 1u << 20;
constexpr int kGzip = 15 + 16;  // zlib's way to ask for gzip's header with the largest window

tl::unexpected<Error> systemFailure(const std::string &what, int number, const std::string &file)
{
    const bool full = number == ENOSPC || number == EDQUOT;
    return fail(ErrorCode::Io, what + ": " + std::system_category().message(number), file,
                full ? "make room on the disk or choose another folder" : "check the folder and its permissions");
}

/// Reads the file from the beginning and hands each part to `use`, until that returns false.
template <class Use>
Result<void> readThrough(int descriptor, const std::string &file, Use &&use)
{
    std::vector<char> buffer(kReadAtOnce);
    for (off_t at = 0;;) {
        const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return systemFailure("the file cannot be read", errno, file);
        if (count == 0 || !use(std::string_view(buffer.data(), static_cast<std::size_t>(count)), at))
            return {};
        at += count;
    }
}

/// Bytes up to the end of the last whole line.
Result<off_t> wholeLines(int descriptor, const std::string &file)
{
    off_t whole = 0;
    const Result<void> read = readThrough(descriptor, file, [&](std::string_view part, off_t at) {
        if (const std::size_t end = part.rfind('\n'); end != part.npos)
            whole = at + static_cast<off_t>(end) + 1;
        return true;
    });
    return read ? Result<off_t>(whole) : propagate(read);
}

/// Bytes up to the end of the last whole gzip stream.
Result<off_t> wholeStreams(int descriptor, const std::string &file)
{
    z_stream stream = {};
    if (inflateInit2(&stream, kGzip) != Z_OK)
        return fail(ErrorCode::OutOfMemory, "there is no memory to unpack the file with", file);
    off_t whole = 0;
    bool damaged = false;
    std::vector<char> ignored(kReadAtOnce);
    const Result<void> read = readThrough(descriptor, file, [&](std::string_view part, off_t at) {
        stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(part.data()));
        stream.avail_in = static_cast<uInt>(part.size());
        while (stream.avail_in > 0) {
            stream.next_out = reinterpret_cast<Bytef *>(ignored.data());
            stream.avail_out = static_cast<uInt>(ignored.size());
            const int code = inflate(&stream, Z_NO_FLUSH);
            if (code == Z_STREAM_END) {
                whole = at + static_cast<off_t>(part.size() - stream.avail_in);
                inflateReset(&stream);
            } else if (code != Z_OK) {
                damaged = true;
                return false;
            }
        }
        return true;
    });
    inflateEnd(&stream);
    if (!read)
        return propagate(read);
    if (damaged)
        return fail(ErrorCode::Malformed, "this is not gzip, or damaged after byte " + std::to_string(whole), file,
                    "choose another name for what is to be written");
    return whole;
}

std::optional<std::string> gzipped(std::string_view text)
{
    z_stream stream = {};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return std::nullopt;
    std::string packed(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef *>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const int code = deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return code == Z_STREAM_END ? std::optional(std::move(packed)) : std::nullopt;
}

} // namespace

LineAppender::LineAppender(std::string file, int descriptor, bool isGzip)
    : m_file(std::move(file)), m_descriptor(descriptor), m_isGzip(isGzip)
{
}

LineAppender::LineAppender(LineAppender &&other) noexcept
    : m_file(std::move(other.m_file)), m_descriptor(std::exchange(other.m_descriptor, -1)), m_isGzip(other.m_isGzip),
      m_written(other.m_written), m_pending(std::move(other.m_pending))
{
}

LineAppender::~LineAppender()
{
    if (m_descriptor < 0)
        return;
    static_cast<void>(sync());
    ::close(m_descriptor);
}

Result<LineAppender> LineAppender::open(const std::string &file, Mode mode)
{
    const int kind = mode == Mode::Create ? O_EXCL : 0;
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | kind, 0666);
    if (descriptor < 0 && errno == EEXIST)
        return fail(ErrorCode::InvalidArgument, "the file is there already", file,
                    "continue it with --resume, or choose another name");
    if (descriptor < 0)
        return systemFailure("the file cannot be created", errno, file);
    LineAppender appender(file, descriptor, std::filesystem::path(file).extension() == ".gz");
    const Result<off_t> whole = appender.m_isGzip ? wholeStreams(descriptor, file) : wholeLines(descriptor, file);
    if (!whole)
        return propagate(whole);
    if (::ftruncate(descriptor, *whole) != 0 || ::lseek(descriptor, *whole, SEEK_SET) < 0)
        return systemFailure("the file cannot be written", errno, file);
    appender.m_written = *whole;
    return appender;
}

void LineAppender::append(std::string_view line)
{
    m_pending.append(line);
    m_pending += '\n';
}

Result<void> LineAppender::flush()
{
    if (m_pending.empty())
        return {};
    std::optional<std::string> packed;
    if (m_isGzip && !(packed = gzipped(m_pending)))
        return fail(ErrorCode::OutOfMemory, "there is no memory to compress the text with", m_file);
    const std::string_view all = m_isGzip ? *packed : m_pending;
    if (auto written = write(all); !written)
        return written;
    m_written += static_cast<std::int64_t>(all.size());
    m_pending.clear();
    return {};
}

Result<void> LineAppender::write(std::string_view bytes) const
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(m_descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            auto failure = systemFailure("the file cannot be written", errno, m_file);
            // What did get there is half a line or stream, which nothing could be appended to.
            if (::ftruncate(m_descriptor, m_written) == 0)
                ::lseek(m_descriptor, m_written, SEEK_SET);
            return failure;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> LineAppender::sync()
{
    if (auto flushed = flush(); !flushed)
        return flushed;
    return ::fsync(m_descriptor) == 0 ? Result<void>() : systemFailure("the file cannot be written", errno, m_file);
}

} // namespace lens
