#include "checkpoint/ggufmetadata.h"

#include <limits>

namespace lens {

namespace {

constexpr const char *kAdvice = "download the file again";

/// 0 for strings, arrays and unknown types.
std::uint64_t sizeOf(GgufType type)
{
    switch (type) {
    case GgufType::U8:
    case GgufType::I8:
    case GgufType::Bool: return 1;
    case GgufType::U16:
    case GgufType::I16: return 2;
    case GgufType::U32:
    case GgufType::I32:
    case GgufType::F32: return 4;
    case GgufType::U64:
    case GgufType::I64:
    case GgufType::F64: return 8;
    case GgufType::String:
    case GgufType::Array: break;
    }
    return 0;
}

nlohmann::json readNumber(ByteReader &reader, GgufType type)
{
    switch (type) {
    case GgufType::U8: return reader.read<std::uint8_t>();
    case GgufType::I8: return reader.read<std::int8_t>();
    case GgufType::U16: return reader.read<std::uint16_t>();
    case GgufType::I16: return reader.read<std::int16_t>();
    case GgufType::U32: return reader.read<std::uint32_t>();
    case GgufType::I32: return reader.read<std::int32_t>();
    case GgufType::F32: return reader.read<float>();
    case GgufType::U64: return reader.read<std::uint64_t>();
    case GgufType::I64: return reader.read<std::int64_t>();
    case GgufType::F64: return reader.read<double>();
    default: return reader.read<std::uint8_t>() != 0;
    }
}

tl::unexpected<Error> malformed(const ByteReader &reader, const std::string &what)
{
    return fail(ErrorCode::Malformed, what, reader.where(), kAdvice);
}

} // namespace

std::string_view readGgufString(ByteReader &reader)
{
    return reader.text(reader.read<std::uint64_t>());
}

Result<GgufMetadata> GgufMetadata::read(ByteReader &reader, std::uint64_t count)
{
    constexpr std::uint64_t smallestPair = 8 + 4 + 1;
    if (!reader.canHold(count, smallestPair))
        return reader.truncated();
    GgufMetadata metadata;
    for (std::uint64_t i = 0; i < count; ++i)
        if (const Result<void> done = metadata.readPair(reader); !done)
            return propagate(done);
    return metadata;
}

Result<void> GgufMetadata::readPair(ByteReader &reader)
{
    const std::string key(readGgufString(reader));
    const auto type = static_cast<GgufType>(reader.read<std::uint32_t>());
    if (!reader.ok())
        return reader.truncated();
    if (!isUtf8(key))
        return malformed(reader, "a key of the metadata is not UTF-8");
    if (m_scalars.contains(key) || m_arrays.contains(key))
        return malformed(reader, "the key \"" + shortened(key) + "\" occurs twice");
    if (type == GgufType::Array)
        return readArray(reader, key);
    if (type == GgufType::String) {
        const std::string_view value = readGgufString(reader);
        if (!isUtf8(value))
            return malformed(reader, "the text of \"" + shortened(key) + "\" is not UTF-8");
        m_scalars[key] = value;
    } else if (sizeOf(type) > 0) {
        m_scalars[key] = readNumber(reader, type);
    } else {
        return malformed(reader, "\"" + shortened(key) + "\" has the unknown type " +
                                     std::to_string(static_cast<std::uint32_t>(type)));
    }
    return reader.ok() ? Result<void>() : reader.truncated();
}

Result<void> GgufMetadata::readArray(ByteReader &reader, const std::string &key)
{
    const auto type = static_cast<GgufType>(reader.read<std::uint32_t>());
    const auto count = reader.read<std::uint64_t>();
    if (type == GgufType::Array)
        return fail(ErrorCode::Unsupported, "\"" + shortened(key) + "\" is an array of arrays", reader.where(), {});
    if (type != GgufType::String && sizeOf(type) == 0)
        return malformed(reader, "\"" + shortened(key) + "\" is an array of the unknown type " +
                                     std::to_string(static_cast<std::uint32_t>(type)));
    if (!reader.canHold(count, type == GgufType::String ? 8 : sizeOf(type)))
        return reader.truncated();
    m_arrays.emplace(key, GgufArray{type, count, reader});
    if (type != GgufType::String)
        reader.take(count * sizeOf(type));
    else
        for (std::uint64_t i = 0; i < count && reader.ok(); ++i)
            readGgufString(reader);
    return reader.ok() ? Result<void>() : reader.truncated();
}

const GgufArray *GgufMetadata::array(const std::string &key) const
{
    const auto found = m_arrays.find(key);
    return found == m_arrays.end() ? nullptr : &found->second;
}

std::string GgufMetadata::text(const std::string &key) const
{
    const auto found = m_scalars.find(key);
    return found != m_scalars.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<bool> GgufMetadata::flag(const std::string &key) const
{
    const auto found = m_scalars.find(key);
    return found != m_scalars.end() && found->is_boolean() ? std::optional(found->get<bool>()) : std::nullopt;
}

std::optional<std::int64_t> GgufMetadata::integer(const std::string &key) const
{
    const auto found = m_scalars.find(key);
    if (found == m_scalars.end() || !found->is_number_integer())
        return std::nullopt;
    if (found->is_number_unsigned() &&
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return std::nullopt;
    return found->get<std::int64_t>();
}

} // namespace lens
