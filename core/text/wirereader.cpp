#include "text/wirereader.h"

#include <bit>

namespace lens {

namespace {

std::string byteNumber(std::size_t offset)
{
    return "byte " + std::to_string(offset);
}

} // namespace

Result<std::uint64_t> WireReader::varint()
{
    std::uint64_t value = 0;
    const std::size_t start = m_at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (m_at == m_data.size())
            return fail(ErrorCode::Truncated, "the data ends inside a number", byteNumber(m_base + start));
        const auto byte = static_cast<unsigned char>(m_data[m_at++]);
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    return fail(ErrorCode::Malformed, "a number is longer than ten bytes", byteNumber(m_base + start));
}

Result<std::uint64_t> WireReader::fixed(std::size_t width)
{
    if (m_data.size() - m_at < width)
        return fail(ErrorCode::Truncated, "the data ends inside a number", byteNumber(m_base + m_at));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(m_data[m_at + i])) << (8 * i);
    m_at += width;
    return value;
}

Result<WireField> WireReader::next()
{
    WireField field;
    field.offset = m_base + m_at;
    const auto tag = varint();
    if (!tag)
        return propagate(tag);
    field.number = static_cast<std::uint32_t>(*tag >> 3);
    if (*tag >> 3 == 0 || *tag >> 32 != 0)
        return fail(ErrorCode::Malformed, "a field has an impossible number", byteNumber(field.offset));
    Result<std::uint64_t> value = 0;
    switch (*tag & 7) {
    case 0: value = varint(); break;
    case 1: value = fixed(8); break;
    case 2: value = varint(); break;
    case 5: value = fixed(4); break;
    default:
        return fail(ErrorCode::Malformed, "a field has an impossible type", byteNumber(field.offset));
    }
    if (!value)
        return propagate(value);
    field.type = static_cast<WireField::Type>(*tag & 7);
    field.value = *value;
    if (field.type == WireField::Type::Bytes) {
        if (*value > m_data.size() - m_at)
            return fail(ErrorCode::Truncated,
                        "a field of " + std::to_string(*value) + " bytes reaches beyond the end of the data",
                        byteNumber(field.offset));
        field.bytes = m_data.substr(m_at, *value);
        m_at += *value;
    }
    return field;
}

void WireWriter::raw(std::uint64_t value)
{
    while (value >= 0x80) {
        m_data.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    m_data.push_back(static_cast<char>(value));
}

void WireWriter::varint(std::uint32_t number, std::uint64_t value)
{
    raw(static_cast<std::uint64_t>(number) << 3);
    raw(value);
}

void WireWriter::float32(std::uint32_t number, float value)
{
    raw((static_cast<std::uint64_t>(number) << 3) | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8)
        m_data.push_back(static_cast<char>(bits >> shift));
}

void WireWriter::bytes(std::uint32_t number, std::string_view value)
{
    raw((static_cast<std::uint64_t>(number) << 3) | 2);
    raw(value.size());
    m_data += value;
}

} // namespace lens
