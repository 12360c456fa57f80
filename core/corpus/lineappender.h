// Appends lines to a text file, gzipped when its name ends in .gz, so that a process that is killed loses only what was
// not synced yet, and can go on later.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace lens {

class LineAppender {
public:
    enum class Mode {
        Create,  ///< ErrorCode::InvalidArgument when the file is there already
        Resume,  ///< a line, or a gzip stream, that is not whole is cut off the end of the file
    };

    /// Errors: InvalidArgument, Io, Malformed (called .gz, but not gzip, or damaged in the middle).
    static Result<LineAppender> open(const std::string &file, Mode mode);

    /// Writes what sync() has not, as well as that goes.
    ~LineAppender();
    LineAppender(LineAppender &&other) noexcept;
    LineAppender &operator=(LineAppender &&) = delete;

    /// `line` without its break. Kept in memory until it is written.
    void append(std::string_view line);

    /// Writes what was appended since, as one gzip stream if the file is gzipped. After ErrorCode::Io the file ends where
    /// it did, and the lines are kept for the next try.
    Result<void> flush();

    /// The same, and waits until it is on the disk.
    Result<void> sync();

private:
    LineAppender(std::string file, int descriptor, bool isGzip);
    Result<void> write(std::string_view bytes) const;

    std::string m_file;
    int m_descriptor;
    bool m_isGzip;
    std::int64_t m_written = 0;  // bytes of whole lines or streams
    std::string m_pending;
};

} // namespace lens
