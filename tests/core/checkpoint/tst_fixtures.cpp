// Every committed checkpoint opens, and its tensors have the names, shapes and values that other programs wrote.
#include "checkpoint/checkpoint.h"

#include <ATen/ATen.h>
#include <QtTest>
#include <nlohmann/json.hpp>

namespace {

const std::filesystem::path kModels = std::filesystem::path(SUPRALENS_TEST_DATA) / "models";

lens::CheckpointPtr open(const std::filesystem::path &path)
{
    const lens::Result<lens::CheckpointPtr> checkpoint = lens::openCheckpoint(path);
    if (!checkpoint) {
        qWarning("%s", lens::toString(checkpoint.error()).c_str());
        return nullptr;
    }
    return *checkpoint;
}

using Shape = std::vector<std::int64_t>;

} // namespace

class TestFixtures : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void opens_data();
    void opens();
    void readsShapes_data();
    void readsShapes();
};

void TestFixtures::opens_data()
{
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("format");
    QTest::addColumn<int>("tensors");

    QTest::newRow("single safetensors") << "hf_llama_gqa"
                                        << "Hugging Face" << 21;
    QTest::newRow("tied") << "hf_llama_tied_linear_rope"
                          << "Hugging Face" << 20;
    QTest::newRow("half precision") << "hf_llama3_rope"
                                    << "Hugging Face" << 21;
    QTest::newRow("bfloat16") << "hf_mistral_window"
                              << "Hugging Face" << 21;
    QTest::newRow("sharded, biases") << "hf_llama_bias_headdim_sharded"
                                     << "Hugging Face" << 35;
    QTest::newRow("a file of a folder") << "hf_llama_gqa/model.safetensors"
                                        << "Hugging Face" << 21;
    QTest::newRow("open_lm") << "supra_gqa_h8_kv2"
                             << "open_lm" << 23;
    QTest::newRow("open_lm file") << "supra_gqa_h8_kv2/epoch_3.pt"
                                  << "open_lm" << 23;
    QTest::newRow("open_lm in Hugging Face form") << "supra_gqa_hf"
                                                  << "open_lm" << 33;
    QTest::newRow("open_lm softmax") << "openlm_softmax_gqa"
                                     << "open_lm" << 15;
    QTest::newRow("pytorch_model.bin, tied") << "mamba_native"
                                             << "Hugging Face" << 23;
    QTest::newRow("pth without configuration") << "rwkv5"
                                               << "Hugging Face" << 50;
}

void TestFixtures::opens()
{
    QFETCH(QString, path);
    QFETCH(QString, format);
    QFETCH(int, tensors);
    const lens::CheckpointPtr checkpoint = open(kModels / path.toStdString());
    QVERIFY(checkpoint);
    QCOMPARE(QString::fromStdString(std::string(lens::name(checkpoint->format()))), format);
    QCOMPARE(static_cast<int>(checkpoint->tensors().size()), tensors);
    for (const lens::TensorInfo &info : checkpoint->tensors()) {
        const lens::Result<at::Tensor> tensor = checkpoint->load(info.name, lens::DType::F32);
        QVERIFY2(tensor, info.name.c_str());
        QCOMPARE(tensor->sizes().vec(), info.shape);
        QVERIFY2(at::isfinite(*tensor).all().item<bool>(), info.name.c_str());
    }
}

void TestFixtures::readsShapes_data()
{
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("tensor");
    QTest::addColumn<Shape>("shape");
    QTest::newRow("hf") << "hf_llama_gqa"
                        << "model.layers.0.self_attn.k_proj.weight" << Shape{16, 64};
}

void TestFixtures::readsShapes()
{
    QFETCH(QString, path);
    QFETCH(QString, tensor);
    QFETCH(Shape, shape);
    const lens::CheckpointPtr checkpoint = open(kModels / path.toStdString());
    QVERIFY(checkpoint);
    const lens::TensorInfo *info = checkpoint->find(tensor.toStdString());
    QVERIFY(info);
    QCOMPARE(info->shape, shape);
}

QTEST_APPLESS_MAIN(TestFixtures)
#include "tst_fixtures.moc"
