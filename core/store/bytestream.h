// Little-endian numbers and varints, written to and read from memory. Reading beyond the end sets a flag and yields
// zeros, so that a decoder checks once, at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace lens {

class ByteWriter {
public:
    void byte(std::uint8_t value) { m_bytes.push_back(std::byte(value)); }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    void varint(std::uint64_t value)
    {
        while (value >= 0x80) {
            byte(static_cast<std::uint8_t>(value) | 0x80);
            value >>= 7;
        }
        byte(static_cast<std::uint8_t>(value));
    }

    /// Small magnitudes of either sign stay short: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
    void signedVarint(std::int64_t value)
    {
        varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }

    template <class T>
    void number(T value)
    {
        const auto *raw = reinterpret_cast<const std::byte *>(&value);
        m_bytes.insert(m_bytes.end(), raw, raw + sizeof value);
    }

    void text(const std::string &text)
    {
        const auto *raw = reinterpret_cast<const std::byte *>(text.data());
        m_bytes.insert(m_bytes.end(), raw, raw + text.size());
    }

    const std::vector<std::byte> &bytes() const { return m_bytes; }

private:
    std::vector<std::byte> m_bytes;
};

class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> bytes) : m_bytes(bytes) {}

    std::uint8_t byte() { return take(1) ? static_cast<std::uint8_t>(m_bytes[m_position - 1]) : 0; }

    std::uint64_t varint()
    {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::uint8_t next = byte();
            value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
            if ((next & 0x80) == 0)
                return value;
        }
        m_bad = true;
        return 0;
    }

    std::int64_t signedVarint()
    {
        const std::uint64_t raw = varint();
        return static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
    }

    /// A number of things that take at least `bytesEach`: bounded by what is left.
    std::size_t count(std::size_t bytesEach = 1)
    {
        const std::uint64_t value = varint();
        if (value > left() / bytesEach)
            m_bad = true;
        return m_bad ? 0 : static_cast<std::size_t>(value);
    }

    template <class T>
    T number()
    {
        T value{};
        if (take(sizeof value))
            std::memcpy(&value, m_bytes.data() + m_position - sizeof value, sizeof value);
        return value;
    }

    std::string text(std::size_t size)
    {
        if (!take(size))
            return {};
        return {reinterpret_cast<const char *>(m_bytes.data()) + m_position - size, size};
    }

    std::size_t left() const { return m_bytes.size() - m_position; }
    bool good() const { return !m_bad; }

private:
    bool take(std::size_t size)
    {
        if (m_bad || size > left()) {
            m_bad = true;
            return false;
        }
        m_position += size;
        return true;
    }

    std::span<const std::byte> m_bytes;
    std::size_t m_position = 0;
    bool m_bad = false;
};

} // namespace lens
