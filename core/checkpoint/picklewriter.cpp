#include "checkpoint/picklewriter.h"

#include <functional>
#include <numeric>
#include <vector>

namespace lens {

namespace {

/// nullptr for types without a storage class of their own.
const char *storageClass(DType type)
{
    switch (type) {
    case DType::F64: return "DoubleStorage";
    case DType::F32: return "FloatStorage";
    case DType::F16: return "HalfStorage";
    case DType::BF16: return "BFloat16Storage";
    case DType::I64: return "LongStorage";
    case DType::I32: return "IntStorage";
    case DType::I16: return "ShortStorage";
    case DType::I8: return "CharStorage";
    case DType::U8: return "ByteStorage";
    case DType::Bool: return "BoolStorage";
    default: return nullptr;
    }
}

std::string littleEndian(std::uint64_t value, int bytes)
{
    std::string result;
    for (int i = 0; i < bytes; ++i)
        result += static_cast<char>(value >> (8 * i) & 0xFF);
    return result;
}

} // namespace

PickleWriter::PickleWriter() : m_bytes("\x80\x02")
{
}

void PickleWriter::beginDict()
{
    m_bytes += "}(";
}

void PickleWriter::endDict()
{
    m_bytes += 'u';
}

void PickleWriter::text(std::string_view value)
{
    m_bytes += 'X';
    m_bytes += littleEndian(value.size(), 4);
    m_bytes += value;
}

void PickleWriter::integer(std::int64_t value)
{
    m_bytes += "\x8A\x08";
    m_bytes += littleEndian(static_cast<std::uint64_t>(value), 8);
}

void PickleWriter::global(std::string_view module, std::string_view name)
{
    m_bytes += 'c';
    m_bytes += module;
    m_bytes += '\n';
    m_bytes += name;
    m_bytes += '\n';
}

void PickleWriter::sizes(std::span<const std::int64_t> values)
{
    m_bytes += '(';
    for (const std::int64_t value : values)
        integer(value);
    m_bytes += 't';
}

bool PickleWriter::tensor(DType type, std::string_view key, std::span<const std::int64_t> shape)
{
    const char *storage = storageClass(type);
    if (!storage)
        return false;
    std::vector<std::int64_t> strides(shape.size());
    std::exclusive_scan(shape.rbegin(), shape.rend(), strides.rbegin(), std::int64_t{1}, std::multiplies());
    global("torch._utils", "_rebuild_tensor_v2");
    m_bytes += "((";
    text("storage");
    global("torch", storage);
    text(key);
    text("cpu");
    integer(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies()));
    m_bytes += "tQ";
    integer(0);
    sizes(shape);
    sizes(strides);
    m_bytes += '\x89'; // requires_grad
    global("collections", "OrderedDict");
    m_bytes += ")RtR";
    return true;
}

std::string PickleWriter::finish()
{
    return m_bytes + '.';
}

} // namespace lens
