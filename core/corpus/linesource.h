// Lines of a text file, gzipped or not, read as a stream.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lens {

class LineSource {
public:
    /// Most bytes of one line: a file without line breaks is not read into memory to find that out.
    static constexpr std::size_t longestLine = 256u << 20;

    /// A file whose content begins as gzip does is unpacked; one that is only called .gz is ErrorCode::Malformed.
    /// Several gzip streams one after the other count as one, as gunzip has it.
    static Result<LineSource> open(const std::string &file);

    ~LineSource();
    LineSource(LineSource &&) noexcept;
    LineSource &operator=(LineSource &&) noexcept;

    /// The next line without its break ("\n" or "\r\n"); nullopt at the end. A byte order mark at the beginning is left
    /// out. ErrorCode::Truncated and Malformed for damaged gzip, LimitExceeded for a line that is too long.
    Result<std::optional<std::string>> next();

    /// Of the line that next() gave last, from 1.
    std::int64_t line() const { return m_line; }
    /// "file, line 7"
    std::string where() const;

    /// Bytes of the file as it lies on the disk: read so far, and all.
    std::uint64_t position() const;
    std::uint64_t size() const { return m_size; }

private:
    struct Stream;
    LineSource(std::string file, std::uint64_t size, std::unique_ptr<Stream> stream);
    Result<bool> fill();

    std::string m_file;
    std::uint64_t m_size;
    std::unique_ptr<Stream> m_stream;
    std::vector<char> m_buffer;
    std::size_t m_begin = 0;
    std::size_t m_end = 0;
    std::int64_t m_line = 0;
};

} // namespace lens
