#include "checkpoint/gguf.h"

#include "checkpoint/ggufmetadata.h"
#include "checkpoint/ggufvocabulary.h"

#include <algorithm>
#include <array>

namespace lens {

namespace {

constexpr const char *kAdvice = "download the file again";
constexpr std::int64_t kDefaultAlignment = 32;
constexpr std::int64_t kLargestAlignment = 1 << 20;
constexpr std::uint32_t kMaximumGgufRank = 4;

struct GgmlType {
    std::uint32_t id;
    DType type;
};

constexpr std::array kGgmlTypes{
    GgmlType{0, DType::F32},   GgmlType{1, DType::F16},   GgmlType{2, DType::Q4_0}, GgmlType{3, DType::Q4_1},
    GgmlType{6, DType::Q5_0},  GgmlType{7, DType::Q5_1},  GgmlType{8, DType::Q8_0}, GgmlType{12, DType::Q4_K},
    GgmlType{13, DType::Q5_K}, GgmlType{14, DType::Q6_K}, GgmlType{24, DType::I8},  GgmlType{25, DType::I16},
    GgmlType{26, DType::I32},  GgmlType{27, DType::I64},  GgmlType{28, DType::F64}, GgmlType{30, DType::BF16},
};

struct OtherType {
    std::uint32_t id;
    const char *name;
};

/// Types that exist but are not read here, to name them in the error.
constexpr std::array kOtherTypes{
    OtherType{9, "Q8_1"},     OtherType{10, "Q2_K"},   OtherType{11, "Q3_K"},    OtherType{15, "Q8_K"},
    OtherType{16, "IQ2_XXS"}, OtherType{17, "IQ2_XS"}, OtherType{18, "IQ3_XXS"}, OtherType{19, "IQ1_S"},
    OtherType{20, "IQ4_NL"},  OtherType{21, "IQ3_S"},  OtherType{22, "IQ2_S"},   OtherType{23, "IQ4_XS"},
    OtherType{29, "IQ1_M"},   OtherType{34, "TQ1_0"},  OtherType{35, "TQ2_0"},   OtherType{39, "MXFP4"},
};

Result<DType> ggmlType(std::uint32_t id, const std::string &where)
{
    for (const GgmlType &candidate : kGgmlTypes)
        if (candidate.id == id)
            return candidate.type;
    for (const OtherType &candidate : kOtherTypes)
        if (candidate.id == id)
            return fail(ErrorCode::Unsupported, std::string("its type ") + candidate.name + " cannot be read", where,
                        "use a file of type F32, F16, BF16, Q8_0, Q6_K, Q5 or Q4");
    return fail(ErrorCode::Malformed, "unknown element type " + std::to_string(id), where, kAdvice);
}

class GgufReader {
public:
    explicit GgufReader(const MappedFilePtr &file) : m_file(file), m_reader(file->bytes(), file->path().string()) {}

    Result<CheckpointContent> read();

private:
    Result<void> readHeader();
    Result<void> readAlignment();
    Result<void> readTensorInfo();
    Result<void> placeTensors();

    MappedFilePtr m_file;
    ByteReader m_reader;
    std::uint64_t m_tensorCount = 0;
    std::uint64_t m_alignment = kDefaultAlignment;
    GgufMetadata m_metadata;
    std::vector<StoredTensor> m_tensors;
};

Result<void> GgufReader::readHeader()
{
    const std::string path = m_file->path().string();
    if (m_reader.text(4) != "GGUF")
        return fail(ErrorCode::Malformed, "the file does not begin with GGUF", path, kAdvice);
    const auto version = m_reader.read<std::uint32_t>();
    if (m_reader.ok() && version != 0 && (version & 0xFFFF) == 0)
        return fail(ErrorCode::Unsupported, "this is a big-endian GGUF file", path, "convert it to little-endian");
    if (m_reader.ok() && version != 2 && version != 3)
        return fail(ErrorCode::Unsupported, "GGUF version " + std::to_string(version) + " cannot be read",
                    path + ", offset 4", "convert the model again with a current llama.cpp");
    m_tensorCount = m_reader.read<std::uint64_t>();
    const auto pairs = m_reader.read<std::uint64_t>();
    if (!m_reader.ok())
        return m_reader.truncated();
    if (m_tensorCount > kMaximumTensors)
        return fail(ErrorCode::LimitExceeded, "the file announces " + std::to_string(m_tensorCount) + " tensors",
                    path + ", offset 8", kAdvice);
    Result<GgufMetadata> metadata = GgufMetadata::read(m_reader, pairs);
    if (!metadata)
        return propagate(metadata);
    m_metadata = std::move(*metadata);
    if (m_metadata.integer("split.count").value_or(1) > 1)
        return fail(ErrorCode::Unsupported, "this is one part of a model that is split into several files", path,
                    "join the parts with \"llama-gguf-split --merge\"");
    return readAlignment();
}

Result<void> GgufReader::readAlignment()
{
    if (!m_metadata.scalars().contains("general.alignment"))
        return {};
    const std::int64_t alignment = m_metadata.integer("general.alignment").value_or(0);
    if (alignment < 1 || alignment > kLargestAlignment || (alignment & (alignment - 1)) != 0)
        return fail(ErrorCode::Malformed, "general.alignment is not a power of two", m_file->path().string(), kAdvice);
    m_alignment = static_cast<std::uint64_t>(alignment);
    return {};
}

Result<void> GgufReader::readTensorInfo()
{
    StoredTensor tensor;
    tensor.file = m_file;
    tensor.info.name = readGgufString(m_reader);
    const std::string where = whereIs(m_file->path(), shortened(tensor.info.name));
    const auto rank = m_reader.read<std::uint32_t>();
    if (m_reader.ok() && !isUtf8(tensor.info.name))
        return fail(ErrorCode::Malformed, "the name of a tensor is not UTF-8", m_reader.where(), kAdvice);
    if (rank > kMaximumGgufRank)
        return fail(ErrorCode::LimitExceeded, "it has " + std::to_string(rank) + " dimensions", where, kAdvice);
    for (std::uint32_t i = 0; i < rank; ++i)
        tensor.info.shape.push_back(m_reader.read<std::int64_t>());
    std::ranges::reverse(tensor.info.shape); // the file has the fastest dimension first
    const auto id = m_reader.read<std::uint32_t>();
    tensor.offset = m_reader.read<std::uint64_t>();
    if (!m_reader.ok())
        return m_reader.truncated();
    const Result<DType> type = ggmlType(id, where);
    if (!type)
        return propagate(type);
    tensor.info.dtype = *type;
    const std::optional<std::uint64_t> bytes = bytesFor(*type, tensor.info.shape);
    if (!bytes)
        return fail(ErrorCode::Malformed,
                    "its shape is negative, too large, or no whole number of " + std::string(name(*type)) + " blocks",
                    where, kAdvice);
    tensor.info.bytes = tensor.span = *bytes;
    m_tensors.push_back(std::move(tensor));
    return {};
}

/// Turns offsets into the data into offsets into the file.
Result<void> GgufReader::placeTensors()
{
    const std::uint64_t size = m_file->bytes().size();
    const std::uint64_t start = (m_reader.position() + m_alignment - 1) / m_alignment * m_alignment;
    for (StoredTensor &tensor : m_tensors) {
        const std::string where = whereIs(m_file->path(), shortened(tensor.info.name));
        if (tensor.offset % m_alignment != 0)
            return fail(ErrorCode::Malformed, "its offset " + std::to_string(tensor.offset) + " is not aligned", where,
                        kAdvice);
        if (start > size || tensor.offset > size - start || tensor.span > size - start - tensor.offset)
            return fail(ErrorCode::Truncated, "its " + std::to_string(tensor.span) + " bytes end beyond the file",
                        where, kAdvice);
        tensor.offset += start;
    }
    return refuseOverlaps(m_tensors);
}

Result<CheckpointContent> GgufReader::read()
{
    if (const Result<void> done = readHeader(); !done)
        return propagate(done);
    constexpr std::uint64_t smallestInfo = 8 + 4 + 4 + 8;
    if (!m_reader.canHold(m_tensorCount, smallestInfo))
        return m_reader.truncated();
    for (std::uint64_t i = 0; i < m_tensorCount; ++i)
        if (const Result<void> done = readTensorInfo(); !done)
            return propagate(done);
    if (const Result<void> done = placeTensors(); !done)
        return propagate(done);
    Result<std::optional<EmbeddedVocabulary>> vocabulary = readGgufVocabulary(m_metadata, m_file->path().string());
    if (!vocabulary)
        return propagate(vocabulary);
    CheckpointContent content;
    content.path = m_file->path();
    content.format = CheckpointFormat::Gguf;
    content.config = m_metadata.scalars();
    content.tensors = std::move(m_tensors);
    content.vocabulary = std::move(*vocabulary);
    content.files = {m_file->path()};
    return content;
}

} // namespace

Result<CheckpointContent> readGguf(const MappedFilePtr &file)
{
    return GgufReader(file).read();
}

} // namespace lens
