// Reads and writes the protocol buffer wire format, as much of it as sentencepiece models use.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace lens {

struct WireField {
    enum class Type { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

    std::uint32_t number = 0;
    Type type = Type::Varint;
    std::uint64_t value = 0;    ///< Varint, Fixed32, Fixed64
    std::string_view bytes;     ///< Bytes; lies inside the input
    std::size_t offset = 0;     ///< of the field's tag in the file
};

class WireReader {
public:
    /// `base` is the offset of `data` within the file, for messages.
    explicit WireReader(std::string_view data, std::size_t base = 0) : m_data(data), m_base(base) {}

    bool atEnd() const { return m_at == m_data.size(); }

    /// The next field, every length checked. The error names the offset in the file.
    Result<WireField> next();

    /// Offset in the file of bytes that next() returned.
    std::size_t offsetOf(std::string_view bytes) const
    {
        return m_base + static_cast<std::size_t>(bytes.data() - m_data.data());
    }

private:
    Result<std::uint64_t> varint();
    Result<std::uint64_t> fixed(std::size_t width);

    std::string_view m_data;
    std::size_t m_base;
    std::size_t m_at = 0;
};

class WireWriter {
public:
    void varint(std::uint32_t number, std::uint64_t value);
    void float32(std::uint32_t number, float value);
    void bytes(std::uint32_t number, std::string_view value);
    const std::string &data() const { return m_data; }

private:
    void raw(std::uint64_t value);

    std::string m_data;
};

} // namespace lens
