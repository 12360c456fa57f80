// llama2.c checkpoints of all three versions, written here number by number, and stories260K where it is installed.
#include "checkpoint/checkpoint.h"

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QtTest>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;

/// Appends values as they lie in the file.
class Writer {
public:
    template <class T>
    Writer &put(T value)
    {
        m_bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
        return *this;
    }
    /// `count` consecutive numbers; the counter goes on from call to call, so every weight is unique.
    Writer &numbers(int count)
    {
        for (int i = 0; i < count; ++i)
            put(static_cast<float>(m_next++));
        return *this;
    }
    Writer &text(const std::string &text)
    {
        m_bytes += text;
        return *this;
    }
    Writer &padTo(std::size_t size)
    {
        m_bytes.resize(size, '\0');
        return *this;
    }
    fs::path save(const fs::path &file) const
    {
        std::ofstream(file, std::ios::binary) << m_bytes;
        return file;
    }
    std::string bytes() const { return m_bytes; }

private:
    std::string m_bytes;
    int m_next = 0;
};

// dim 8, hidden 12, 2 layers, 4 heads, 2 kv heads (kv width 4), vocabulary 5, sequence 6
constexpr int kDim = 8, kHidden = 12, kLayers = 2, kVocabulary = 5, kKv = 4, kSequence = 6, kHead = 2;

Writer &header(Writer &writer, int vocabulary)
{
    for (const std::int32_t value : {kDim, kHidden, kLayers, 4, 2, vocabulary, kSequence})
        writer.put(value);
    return writer;
}

Writer version0(bool shared)
{
    Writer writer;
    header(writer, shared ? kVocabulary : -kVocabulary);
    writer.numbers(kVocabulary * kDim).numbers(kLayers * kDim);
    writer.numbers(kLayers * kDim * kDim).numbers(2 * kLayers * kKv * kDim).numbers(kLayers * kDim * kDim);
    writer.numbers(kLayers * kDim).numbers(3 * kLayers * kHidden * kDim).numbers(kDim);
    writer.numbers(kSequence * kHead);
    return shared ? writer : writer.numbers(kVocabulary * kDim);
}

Writer modern(int version)
{
    Writer writer;
    writer.put(std::uint32_t{0x616b3432}).put(std::int32_t{version});
    header(writer, kVocabulary).put(std::uint8_t{1});
    if (version == 2)
        writer.put(std::int32_t{4});
    return writer.padTo(256).numbers(2 * kLayers * kDim + kDim);
}

lens::CheckpointPtr open(const fs::path &path)
{
    const auto checkpoint = lens::openCheckpoint(path);
    if (!checkpoint)
        qWarning("%s", lens::toString(checkpoint.error()).c_str());
    return checkpoint ? *checkpoint : nullptr;
}

float first(const lens::Checkpoint &checkpoint, const char *tensor)
{
    const auto loaded = checkpoint.load(tensor, lens::DType::F32);
    return loaded ? loaded->flatten()[0].item<float>() : -1;
}

} // namespace

class TestLlama2c : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }
    void readsVersion0();
    void readsSeparateClassifier();
    void readsVersion1();
    void dequantisesVersion2();
    void readsTokenizer();
    void refusesForeignTokenizer();
    void readsStories260K();

private:
    fs::path file(const char *name) const { return fs::path(m_folder->path().toStdString()) / name; }

    std::unique_ptr<QTemporaryDir> m_folder;
};

void TestLlama2c::readsVersion0()
{
    const auto checkpoint = open(version0(true).save(file("model.bin")));
    QVERIFY(checkpoint);
    QVERIFY(checkpoint->format() == lens::CheckpointFormat::Llama2c);
    QCOMPARE(checkpoint->tensors().size(), std::size_t{2 + 9 * kLayers});
    QCOMPARE(checkpoint->config().value("n_kv_heads", 0), 2);
    QCOMPARE(checkpoint->config().value("shared_classifier", false), true);
    QCOMPARE(checkpoint->config().value("rope_interleaved", false), true);
    const int embedding = kVocabulary * kDim;
    QCOMPARE(first(*checkpoint, "model.embed_tokens.weight"), 0.0f);
    QCOMPARE(first(*checkpoint, "model.layers.1.input_layernorm.weight"), float(embedding + kDim));
    QCOMPARE(first(*checkpoint, "model.layers.1.self_attn.q_proj.weight"),
             float(embedding + kLayers * kDim + kDim * kDim));
    const auto keys = checkpoint->find("model.layers.0.self_attn.k_proj.weight");
    QCOMPARE(keys->shape, (std::vector<std::int64_t>{kKv, kDim}));
    const auto down = checkpoint->find("model.layers.0.mlp.down_proj.weight");
    QCOMPARE(down->shape, (std::vector<std::int64_t>{kDim, kHidden}));
    QVERIFY(!checkpoint->find("lm_head.weight"));
}

void TestLlama2c::readsSeparateClassifier()
{
    const auto checkpoint = open(version0(false).save(file("model.bin")));
    QVERIFY(checkpoint);
    QCOMPARE(checkpoint->config().value("vocab_size", 0), kVocabulary);
    const auto head = checkpoint->load("lm_head.weight", lens::DType::F32);
    const auto norm = checkpoint->load("model.norm.weight", lens::DType::F32);
    QVERIFY(head && norm);
    // the numbers count through the file, and only the rotary tables lie between these two
    QCOMPARE((*head)[0][0].item<float>(), (*norm)[0].item<float>() + kDim + kSequence * kHead);
}

void TestLlama2c::readsVersion1()
{
    Writer writer = modern(1);
    writer.numbers(kVocabulary * kDim + kLayers * (2 * kDim * kDim + 2 * kKv * kDim + 3 * kHidden * kDim));
    const auto checkpoint = open(writer.save(file("model.bin")));
    QVERIFY(checkpoint);
    QCOMPARE(checkpoint->config().value("version", 0), 1);
    QCOMPARE(first(*checkpoint, "model.layers.0.input_layernorm.weight"), 0.0f);
    QCOMPARE(first(*checkpoint, "model.layers.1.post_attention_layernorm.weight"), float(3 * kDim));
    QCOMPARE(first(*checkpoint, "model.embed_tokens.weight"), float(5 * kDim));
}

void TestLlama2c::dequantisesVersion2()
{
    Writer writer = modern(2);
    const auto quantised = [&writer](int elements) {
        for (int i = 0; i < elements; ++i)
            writer.put(static_cast<std::int8_t>(i % 255 - 127));
        for (int group = 0; group < elements / 4; ++group)
            writer.put(0.25f * static_cast<float>(group));
    };
    quantised(kVocabulary * kDim);
    for (const int elements :
         {kDim * kDim, kKv * kDim, kKv * kDim, kDim * kDim, kHidden * kDim, kHidden * kDim, kHidden * kDim})
        for (int layer = 0; layer < kLayers; ++layer)
            quantised(elements);
    const auto checkpoint = open(writer.save(file("model.bin")));
    QVERIFY(checkpoint);
    const auto up = checkpoint->load("model.layers.1.mlp.up_proj.weight", lens::DType::F32);
    QVERIFY(up);
    const at::Tensor index = at::arange(kHidden * kDim);
    const at::Tensor expected = ((index - 127) * at::floor_divide(index, 4) * 0.25).view({kHidden, kDim});
    QVERIFY(at::equal(*up, expected.to(at::kFloat)));
    const auto half = checkpoint->load("model.layers.1.mlp.up_proj.weight", lens::DType::BF16);
    QVERIFY(half && half->scalar_type() == at::kBFloat16);
    const auto scales = checkpoint->find("model.layers.1.mlp.up_proj.weight.scales");
    QVERIFY(scales);
    QCOMPARE(scales->shape, (std::vector<std::int64_t>{kHidden * kDim / 4}));
}

void TestLlama2c::readsTokenizer()
{
    Writer tokenizer;
    tokenizer.put(std::uint32_t{6});
    for (const std::string piece : {"<unk>", "\n<s>\n", "\n</s>\n", "<0x41>", " a b"})
        tokenizer.put(-1.5f).put(static_cast<std::uint32_t>(piece.size())).text(piece);
    tokenizer.save(file("tok5.bin"));
    Writer().text("not a tokenizer").save(file("tokenizer.bin")); // the name with the size comes first
    const auto checkpoint = open(version0(true).save(file("model.bin")));
    QVERIFY(checkpoint);
    const auto vocabulary = checkpoint->vocabulary();
    QVERIFY(vocabulary);
    QCOMPARE(vocabulary->tokens, (std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x41>", "\u2581a\u2581b"}));
    QCOMPARE(vocabulary->types, (std::vector<std::int32_t>{2, 3, 3, 6, 1}));
    QCOMPARE(vocabulary->scores.at(4), -1.5f);
    QCOMPARE(vocabulary->bos.value_or(-1), 1);
    QCOMPARE(checkpoint->files().size(), std::size_t{2});
}

void TestLlama2c::refusesForeignTokenizer()
{
    Writer tokenizer;
    tokenizer.put(std::uint32_t{6});
    for (int i = 0; i < 7; ++i)
        tokenizer.put(0.0f).put(std::uint32_t{1}).text("x");
    tokenizer.save(file("tokenizer.bin"));
    const auto checkpoint = lens::openCheckpoint(version0(true).save(file("model.bin")));
    QVERIFY(!checkpoint);
    QVERIFY(checkpoint.error().code == lens::ErrorCode::Mismatch);
}

void TestLlama2c::readsStories260K()
{
    const char *folder = std::getenv("SUPRALENS_MODELS");
    const fs::path path = fs::path(folder ? folder : "") / "stories260K.bin";
    if (!fs::exists(path))
        QSKIP("stories260K.bin is not in $SUPRALENS_MODELS");
    const auto checkpoint = open(path);
    QVERIFY(checkpoint);
    QCOMPARE(checkpoint->tensors().size(), std::size_t{47});
    const auto vocabulary = checkpoint->vocabulary();
    QVERIFY(vocabulary);
    QCOMPARE(vocabulary->tokens.at(259), std::string("\u2581t"));
    QCOMPARE(vocabulary->types.at(258), 6);
    const auto norm = checkpoint->load("model.norm.weight", lens::DType::F32);
    QVERIFY(norm && at::isfinite(*norm).all().item<bool>());
}

QTEST_APPLESS_MAIN(TestLlama2c)
#include "tst_llama2c.moc"
