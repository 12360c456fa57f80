// GGUF: values of all block types against ggml's own, the vocabulary, and the speed of opening a real file.
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

#include <ATen/ATen.h>
#include <QElapsedTimer>
#include <QtTest>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(SUPRALENS_TEST_DATA) / "models";

fs::path userModels()
{
    if (const char *folder = std::getenv("SUPRALENS_MODELS"))
        return folder;
    if (const char *data = std::getenv("XDG_DATA_HOME"))
        return fs::path(data) / "supralens" / "models";
    const char *home = std::getenv("HOME");
    return fs::path(home ? home : "/") / ".local" / "share" / "supralens" / "models";
}

} // namespace

class TestGguf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void dequantisesLikeGgml_data();
    void dequantisesLikeGgml();
    void readsMetadata();
    void readsVocabulary();
    void viewsBlocks();
    void opensRealModelQuickly();
};

void TestGguf::dequantisesLikeGgml_data()
{
    QTest::addColumn<QString>("folder");
    for (const char *type : {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k"})
        QTest::newRow(type) << QString("gguf_") + type;
}

void TestGguf::dequantisesLikeGgml()
{
    QFETCH(QString, folder);
    const fs::path path = kModels / folder.toStdString();
    const auto checkpoint = lens::openCheckpoint(path / "model.gguf");
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    const auto file = lens::MappedFile::open(path / "golden.safetensors");
    const auto golden = lens::readSafetensors(*file);
    QVERIFY(golden);
    int compared = 0;
    for (const lens::StoredTensor &expected : *golden) {
        if (!expected.info.name.starts_with("dequant."))
            continue;
        const auto rows = lens::loadStored(expected, lens::DType::F32);
        const auto whole = (*checkpoint)->load(expected.info.name.substr(8), lens::DType::F32);
        QVERIFY2(whole, expected.info.name.c_str());
        QVERIFY2(at::equal(whole->slice(0, 0, rows->size(0)), *rows), expected.info.name.c_str());
        ++compared;
    }
    QVERIFY(compared > 0);
}

void TestGguf::readsMetadata()
{
    const auto checkpoint = lens::openCheckpoint(kModels / "gguf_q8_0");
    QVERIFY(checkpoint);
    const nlohmann::json &config = (*checkpoint)->config();
    QCOMPARE(config.value("general.architecture", ""), std::string("llama"));
    QCOMPARE(config.value("llama.embedding_length", 0), 256);
    QCOMPARE(config.value("general.alignment", 0), 64);
    QVERIFY(!config.contains("tokenizer.ggml.tokens"));
    const lens::TensorInfo *down = (*checkpoint)->find("blk.1.ffn_down.weight");
    QVERIFY(down);
    QCOMPARE(down->shape, (std::vector<std::int64_t>{256, 512}));
    QVERIFY(down->dtype == lens::DType::Q8_0);
    QCOMPARE(down->bytes, std::uint64_t{256 * 512 / 32 * 34});
}

void TestGguf::readsVocabulary()
{
    const auto checkpoint = lens::openCheckpoint(kModels / "gguf_f16");
    QVERIFY(checkpoint);
    const lens::EmbeddedVocabulary *vocabulary = (*checkpoint)->vocabulary();
    QVERIFY(vocabulary);
    QVERIFY(vocabulary->kind == lens::EmbeddedVocabulary::Kind::SentencePiece);
    QCOMPARE(vocabulary->tokens.size(), std::size_t{448});
    QCOMPARE(vocabulary->scores.size(), std::size_t{448});
    QCOMPARE(vocabulary->types.size(), std::size_t{448});
    QCOMPARE(vocabulary->tokens[1], std::string("<s>"));
    QCOMPARE(vocabulary->types[1], 3);
    QCOMPARE(vocabulary->bos.value_or(-1), 1);
    QCOMPARE(vocabulary->eos.value_or(-1), 2);
    QVERIFY(vocabulary->addBos);
    QVERIFY(vocabulary->addSpacePrefix);
}

void TestGguf::viewsBlocks()
{
    at::Tensor blocks;
    {
        const auto checkpoint = lens::openCheckpoint(kModels / "gguf_q4_k");
        QVERIFY(checkpoint);
        const auto loaded = (*checkpoint)->load("blk.0.attn_q.weight", lens::DType::Q4_K);
        QVERIFY(loaded);
        blocks = *loaded;
        const auto refused = (*checkpoint)->load("blk.0.attn_norm.weight", lens::DType::Q4_K);
        QVERIFY(!refused);
        QVERIFY(refused.error().code == lens::ErrorCode::Unsupported);
    }
    QCOMPARE(blocks.sizes().vec(), (std::vector<std::int64_t>{256, 144}));
    QVERIFY(blocks.to(at::kLong).sum().item<std::int64_t>() > 0); // still mapped without its checkpoint
}

void TestGguf::opensRealModelQuickly()
{
    fs::path path;
    std::error_code error;
    for (const fs::directory_entry &entry : fs::recursive_directory_iterator(userModels(), error))
        if (entry.path().filename() == "SmolLM2-135M-Instruct.Q4_1.gguf")
            path = entry.path();
    if (path.empty())
        QSKIP("SmolLM2-135M-Instruct.Q4_1.gguf is not installed: ./run --get smollm2 fetches it");
    QElapsedTimer timer;
    timer.start();
    const auto checkpoint = lens::openCheckpoint(path);
    const qint64 opened = timer.elapsed();
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    QCOMPARE((*checkpoint)->tensors().size(), std::size_t{272});
    const auto vocabulary = (*checkpoint)->vocabulary();
    QVERIFY(vocabulary);
    QVERIFY(vocabulary->kind == lens::EmbeddedVocabulary::Kind::ByteLevelBpe);
    QCOMPARE(vocabulary->tokens.size(), std::size_t{49152});
    QCOMPARE(vocabulary->preTokenizer, std::string("smollm"));
    QVERIFY(!vocabulary->addBos);
    QVERIFY(vocabulary->chatTemplate.find("im_start") != std::string::npos);
    qInfo("opened in %lld ms", opened);
    QVERIFY2(opened < 500, "about 20 ms are usual; the generous bound is for a busy machine");
}

QTEST_APPLESS_MAIN(TestGguf)
#include "tst_gguf.moc"
