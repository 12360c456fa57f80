#include "checkpoint/llama2c.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/llama2ctokenizer.h"

#include <cstdlib>
#include <functional>

namespace lens {

namespace {

constexpr std::uint32_t kMagic = 0x616b3432;
constexpr std::uint64_t kHeaderBytes = 256;
constexpr std::int32_t kMostLayers = 4096;
constexpr const char *kAdvice = "check that this is a llama2.c checkpoint, and download it again";

struct Header {
    std::int32_t version = 0;
    std::int64_t dim = 0, hiddenDim = 0, layers = 0, heads = 0, kvHeads = 0, vocabulary = 0, sequence = 0;
    bool sharedClassifier = true;
    std::int64_t groupSize = 0;

    std::int64_t kvDim() const { return dim / heads * kvHeads; }
};

/// Lays tensors out one behind the other, as the file does.
class Layout {
public:
    Layout(const MappedFilePtr &file, std::uint64_t start) : m_file(file), m_position(start) {}

    Result<void> add(const std::string &name, const std::vector<std::int64_t> &shape, DType type = DType::F32);
    Result<void> addGroups(const std::string &name, const std::vector<std::int64_t> &shape, std::int64_t groupSize);
    Result<void> skip(std::int64_t floats);
    Result<std::vector<StoredTensor>> finish();

private:
    tl::unexpected<Error> tooShort(const std::string &what) const;

    MappedFilePtr m_file;
    std::uint64_t m_position;
    std::vector<StoredTensor> m_tensors;
};

tl::unexpected<Error> Layout::tooShort(const std::string &what) const
{
    return fail(ErrorCode::Truncated,
                "the file has " + std::to_string(m_file->bytes().size()) + " bytes, too few for its header",
                whereIs(m_file->path(), what), kAdvice);
}

Result<void> Layout::add(const std::string &name, const std::vector<std::int64_t> &shape, DType type)
{
    const std::optional<std::uint64_t> bytes = bytesFor(type, shape);
    if (!bytes || *bytes > m_file->bytes().size() - m_position)
        return tooShort(name);
    StoredTensor tensor;
    tensor.info = {name, type, shape, *bytes};
    tensor.file = m_file;
    tensor.offset = m_position;
    tensor.span = *bytes;
    m_position += *bytes;
    m_tensors.push_back(std::move(tensor));
    return {};
}

Result<void> Layout::addGroups(const std::string &name, const std::vector<std::int64_t> &shape, std::int64_t groupSize)
{
    if (const Result<void> done = add(name, shape, DType::I8); !done)
        return done;
    const auto elements = static_cast<std::int64_t>(m_tensors.back().info.bytes);
    if (elements % groupSize != 0)
        return fail(ErrorCode::Malformed, "its size is no multiple of the group size " + std::to_string(groupSize),
                    whereIs(m_file->path(), name), kAdvice);
    m_tensors.back().groupSize = groupSize;
    m_tensors.back().scalesOffset = m_position;
    return add(name + ".scales", {elements / groupSize});
}

Result<void> Layout::skip(std::int64_t floats)
{
    const std::optional<std::uint64_t> bytes = bytesFor(DType::F32, std::span(&floats, 1));
    if (!bytes || *bytes > m_file->bytes().size() - m_position)
        return tooShort("rotary tables");
    m_position += *bytes;
    return {};
}

Result<std::vector<StoredTensor>> Layout::finish()
{
    if (m_position != m_file->bytes().size())
        return fail(ErrorCode::Malformed, "the file is longer than its header says",
                    m_file->path().string() + ", offset " + std::to_string(m_position), kAdvice);
    return std::move(m_tensors);
}

Result<void> check(const Header &header, const std::string &file)
{
    const auto refuse = [&file](ErrorCode code, const std::string &what) {
        return fail(code, "the header has " + what, file, kAdvice);
    };
    for (const auto &[name, value] :
         {std::pair("dim", header.dim), std::pair("hidden_dim", header.hiddenDim), std::pair("n_layers", header.layers),
          std::pair("n_heads", header.heads), std::pair("n_kv_heads", header.kvHeads),
          std::pair("vocab_size", header.vocabulary), std::pair("seq_len", header.sequence)})
        if (value <= 0)
            return refuse(ErrorCode::Malformed, std::string(name) + " = " + std::to_string(value));
    if (header.layers > kMostLayers)
        return refuse(ErrorCode::LimitExceeded, "n_layers = " + std::to_string(header.layers));
    if (header.dim % header.heads != 0 || header.heads % header.kvHeads != 0)
        return refuse(ErrorCode::Malformed, "heads that do not divide the width or each other");
    if (header.version == 2 && header.groupSize <= 0)
        return refuse(ErrorCode::Malformed, "group_size = " + std::to_string(header.groupSize));
    return {};
}

Result<Header> readHeader(const MappedFile &file)
{
    ByteReader reader(file.bytes(), file.path().string());
    Header header;
    const bool hasMagic = ByteReader(reader).read<std::uint32_t>() == kMagic;
    if (hasMagic) {
        reader.take(sizeof kMagic);
        header.version = reader.read<std::int32_t>();
        if (reader.ok() && header.version != 1 && header.version != 2)
            return fail(ErrorCode::Unsupported,
                        "llama2.c version " + std::to_string(header.version) + " cannot be read", file.path().string(),
                        "export the model again as version 1 or 2");
    }
    for (std::int64_t *field : {&header.dim, &header.hiddenDim, &header.layers, &header.heads, &header.kvHeads,
                                &header.vocabulary, &header.sequence})
        *field = reader.read<std::int32_t>();
    if (hasMagic) {
        header.sharedClassifier = reader.read<std::uint8_t>() != 0;
        if (header.version == 2)
            header.groupSize = reader.read<std::int32_t>();
    } else {
        header.sharedClassifier = header.vocabulary > 0;
        header.vocabulary = std::abs(header.vocabulary);
    }
    if (!reader.ok() || (hasMagic && file.bytes().size() < kHeaderBytes))
        return fail(ErrorCode::Truncated, "the file ends inside its header", file.path().string(), kAdvice);
    if (const Result<void> checked = check(header, file.path().string()); !checked)
        return propagate(checked);
    return header;
}

/// The weights in the order of the file. Each kind of weight is stored for all layers before the next kind begins.
class Llama2cReader {
public:
    Llama2cReader(const MappedFilePtr &file, const Header &header)
        : m_header(header), m_layout(file, header.version == 0 ? 7 * sizeof(std::int32_t) : kHeaderBytes)
    {
    }

    Result<std::vector<StoredTensor>> read();

private:
    using Shape = std::vector<std::int64_t>;

    void norm(const std::string &name, bool perLayer) { add(name, {m_header.dim}, perLayer, false); }
    void matrix(const std::string &name, const Shape &shape, bool perLayer = true) { add(name, shape, perLayer, true); }
    void add(const std::string &name, const Shape &shape, bool perLayer, bool quantised);
    void attention();
    void feedForward();
    void classifier();

    Header m_header;
    Layout m_layout;
    Result<void> m_state;
};

void Llama2cReader::add(const std::string &name, const Shape &shape, bool perLayer, bool quantised)
{
    const std::int64_t count = perLayer ? m_header.layers : 1;
    for (std::int64_t i = 0; i < count && m_state; ++i) {
        const std::string full = perLayer ? "model.layers." + std::to_string(i) + "." + name : name;
        m_state = quantised && m_header.version == 2 ? m_layout.addGroups(full, shape, m_header.groupSize)
                                                     : m_layout.add(full, shape);
    }
}

void Llama2cReader::attention()
{
    matrix("self_attn.q_proj.weight", {m_header.dim, m_header.dim});
    matrix("self_attn.k_proj.weight", {m_header.kvDim(), m_header.dim});
    matrix("self_attn.v_proj.weight", {m_header.kvDim(), m_header.dim});
    matrix("self_attn.o_proj.weight", {m_header.dim, m_header.dim});
}

void Llama2cReader::feedForward()
{
    matrix("mlp.gate_proj.weight", {m_header.hiddenDim, m_header.dim});
    matrix("mlp.down_proj.weight", {m_header.dim, m_header.hiddenDim});
    matrix("mlp.up_proj.weight", {m_header.hiddenDim, m_header.dim});
}

void Llama2cReader::classifier()
{
    if (!m_header.sharedClassifier)
        matrix("lm_head.weight", {m_header.vocabulary, m_header.dim}, false);
}

Result<std::vector<StoredTensor>> Llama2cReader::read()
{
    const Shape embedding{m_header.vocabulary, m_header.dim};
    if (m_header.version == 0) {
        matrix("model.embed_tokens.weight", embedding, false);
        norm("input_layernorm.weight", true);
        attention();
        norm("post_attention_layernorm.weight", true);
        feedForward();
        norm("model.norm.weight", false);
        if (m_state) // cosines and sines
            m_state = m_layout.skip(m_header.sequence * (m_header.dim / m_header.heads / 2) * 2);
    } else {
        norm("input_layernorm.weight", true);
        norm("post_attention_layernorm.weight", true);
        norm("model.norm.weight", false);
        matrix("model.embed_tokens.weight", embedding, false);
        attention();
        feedForward();
    }
    classifier();
    return m_state ? m_layout.finish() : propagate(m_state);
}

nlohmann::json configOf(const Header &header)
{
    nlohmann::json config{{"dim", header.dim},
                          {"hidden_dim", header.hiddenDim},
                          {"n_layers", header.layers},
                          {"n_heads", header.heads},
                          {"n_kv_heads", header.kvHeads},
                          {"vocab_size", header.vocabulary},
                          {"seq_len", header.sequence},
                          {"shared_classifier", header.sharedClassifier},
                          {"version", header.version},
                          {"rope_interleaved", true}};
    if (header.version == 2)
        config["group_size"] = header.groupSize;
    return config;
}

} // namespace

Result<CheckpointContent> readLlama2c(const MappedFilePtr &file)
{
    const Result<Header> header = readHeader(*file);
    if (!header)
        return propagate(header);
    Result<std::vector<StoredTensor>> tensors = Llama2cReader(file, *header).read();
    if (!tensors)
        return propagate(tensors);
    Result<std::optional<Llama2cTokenizer>> tokenizer =
        findLlama2cTokenizer(file->path(), static_cast<std::size_t>(header->vocabulary));
    if (!tokenizer)
        return propagate(tokenizer);
    CheckpointContent content;
    content.path = file->path();
    content.format = CheckpointFormat::Llama2c;
    content.config = configOf(*header);
    content.tensors = std::move(*tensors);
    content.files = {file->path()};
    if (*tokenizer) {
        content.vocabulary = std::move((*tokenizer)->vocabulary);
        content.files.push_back((*tokenizer)->file);
    }
    return content;
}

} // namespace lens
