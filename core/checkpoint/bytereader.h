// Reads little-endian values from untrusted bytes without ever leaving them. The first failure sticks: callers may
// read several values and ask once.
#pragma once

#include "base/result.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace lens {

static_assert(std::endian::native == std::endian::little, "the formats read here are little-endian and are mapped");

class ByteReader {
public:
    /// `bytes` must outlive the reader. `file` is named in errors; `start` is where `bytes` begins in it.
    ByteReader(std::span<const std::byte> bytes, std::string file, std::uint64_t start = 0)
        : m_bytes(bytes), m_file(std::move(file)), m_start(start)
    {
    }

    bool ok() const { return !m_failed; }
    std::uint64_t position() const { return m_position; }
    std::uint64_t remaining() const { return m_bytes.size() - m_position; }

    /// A value of a plain type; zero after a failure.
    template <class T>
    T read()
    {
        T value{};
        const std::span<const std::byte> source = take(sizeof(T));
        if (!source.empty())
            std::memcpy(&value, source.data(), sizeof(T));
        return value;
    }

    /// The next `count` bytes; empty after a failure.
    std::span<const std::byte> take(std::uint64_t count);

    std::string_view text(std::uint64_t count);

    /// The rest up to the next newline, which is consumed but not returned; empty after a failure.
    std::string_view line();

    /// Whether `count` items of at least `bytesEach` bytes can still follow; if not, the reader fails.
    bool canHold(std::uint64_t count, std::uint64_t bytesEach);

    /// "<file>, offset <n>".
    std::string where() const;

    /// ErrorCode::Truncated at the current position.
    tl::unexpected<Error> truncated() const;

private:
    std::span<const std::byte> m_bytes;
    std::string m_file;
    std::uint64_t m_start;
    std::uint64_t m_position = 0;
    bool m_failed = false;
};

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool isUtf8(std::string_view text);

/// A name from a file, shortened for use in an error message.
std::string shortened(std::string_view text);

} // namespace lens
