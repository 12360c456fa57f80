// A thousand damaged files of every format, the same each time: opening one and loading all that it still offers must
// end in an Error or in tensors, soon, and never in a crash, an exception or an allocation that the file cannot
// justify.
#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"
#include "core/checkpoint/handmade.h"
#include "mutator.h"
#include "support/cputimer.h"

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

using namespace handmade;

namespace {

namespace fs = std::filesystem;

constexpr int kMutations = 1000;
constexpr qint64 kSlowestMs = 1000;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLimitMemory = false; // the sanitizer reserves terabytes of address space
#else
constexpr bool kLimitMemory = true;
#endif

lens::NamedTensors tinyModel()
{
    at::manual_seed(1);
    return {{"layers.0.attention.in_proj.weight", at::randn({8, 4})},
            {"norm.weight", at::ones({4}).to(at::kBFloat16)},
            {"output.weight", at::randn({4, 3}).t()},
            {"mask", at::arange(2).eq(0)}};
}

std::string tinyGguf()
{
    const std::string texts = ggufString("<unk>") + ggufString("<s>") + ggufString("</s>") + ggufString("a");
    const std::string scores = number(0.f) + number(0.f) + number(0.f) + number(-1.f);
    return gguf(
        {ggufPair("general.architecture", 8, ggufString("llama")), ggufPair("llama.block_count", 4, number(1u)),
         ggufPair("general.alignment", 4, number(32u)), ggufPair("llama.rope.freq_base", 6, number(1e4f)),
         ggufPair("tokenizer.ggml.model", 8, ggufString("llama")), ggufArray("tokenizer.ggml.tokens", 8, 4, texts),
         ggufArray("tokenizer.ggml.scores", 6, 4, scores), ggufPair("tokenizer.ggml.bos_token_id", 4, number(1u)),
         ggufPair("tokenizer.ggml.add_bos_token", 7, "\1")},
        {ggufTensor("token_embd.weight", {4, 4}, 0, 0), ggufTensor("q4", {32, 2}, 2, 64),
         ggufTensor("q6", {256, 2}, 14, 128), ggufTensor("k5", {256, 1}, 13, 576), ggufTensor("half", {8}, 1, 768)},
        784);
}

std::string tinyLlama2c(int version)
{
    std::string header;
    if (version > 0)
        header = number(0x616b3432u) + number(version);
    for (const std::int32_t value : {8, 8, 1, 2, 1, 5, 4})
        header += number(value);
    if (version > 0)
        header += "\1" + number(4);
    const std::size_t matrices = 5 * 8 + 8 * 8 * 2 + 4 * 8 * 2 + 3 * 8 * 8;
    const std::size_t norms = 3 * 8;
    if (version == 0)
        return header + std::string(4 * (matrices + norms + 4 * 4), '\0');
    header.resize(256, '\0');
    return header + std::string(4 * norms + (version == 1 ? 4 * matrices : 2 * matrices), '\0');
}

} // namespace

class TestMutatedCheckpoints : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void survives_data();
    void survives();

private:
    fs::path path(const QString &name) const { return fs::path(m_folder.path().toStdString()) / name.toStdString(); }
    void use(const lens::Checkpoint &checkpoint);

    QTemporaryDir m_folder;
};

void TestMutatedCheckpoints::initTestCase()
{
    for (const char *folder : {"hf", "sharded", "openlm", "gguf", "llama2c0", "llama2c1", "llama2c2"})
        fs::create_directory(path(folder));
    save(path("hf/config.json"),
         R"({"model_type":"llama","rope_theta":1e4,"limit":[0.0,Infinity],"nested":{"a":[1,2,{}]}})");
    QVERIFY(lens::writeSafetensors(path("hf/model.safetensors"), tinyModel(), {{"format", "pt"}}));
    save(path("sharded/config.json"), "{}");
    QVERIFY(lens::writeSafetensors(path("sharded/a.safetensors"), {{"a", at::zeros({4})}}));
    QVERIFY(lens::writeSafetensors(path("sharded/b.safetensors"), {{"b", at::zeros({4})}}));
    save(path("sharded/model.safetensors.index.json"),
         R"({"metadata":{"total_size":32},"weight_map":{"a":"a.safetensors","b":"b.safetensors"}})");
    QVERIFY(lens::writeOpenLm(path("openlm"), {{"hidden_dim", 4}}, tinyModel()));
    save(path("gguf/model.gguf"), tinyGguf());
    for (const int version : {0, 1, 2})
        save(path("llama2c" + QString::number(version) + "/model.bin"), tinyLlama2c(version));
    std::string tokenizer = number(5);
    for (const char *piece : {"<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " a"})
        tokenizer += number(0.f) + number(static_cast<std::int32_t>(std::strlen(piece))) + piece;
    save(path("llama2c0/tokenizer.bin"), tokenizer);
    fs::copy(fs::path(SUPRALENS_TEST_DATA) / "models" / "supra_long", path("torch"), fs::copy_options::recursive);

    if (kLimitMemory) {
        const rlimit limit{std::uint64_t{8} << 30, RLIM_INFINITY}; // libtorch itself maps about two of these
        QCOMPARE(setrlimit(RLIMIT_AS, &limit), 0);
    }
}

void TestMutatedCheckpoints::survives_data()
{
    QTest::addColumn<QString>("file");
    QTest::newRow("safetensors") << "hf/model.safetensors";
    QTest::newRow("config.json") << "hf/config.json";
    QTest::newRow("shard index") << "sharded/model.safetensors.index.json";
    QTest::newRow("GGUF") << "gguf/model.gguf";
    QTest::newRow("open_lm .pt") << "openlm/epoch_0.pt";
    QTest::newRow("torch's own .pt") << "torch/epoch_3.pt";
    QTest::newRow("open_lm configuration") << "openlm/model_config.json";
    QTest::newRow("llama2.c version 0") << "llama2c0/model.bin";
    QTest::newRow("llama2.c version 1") << "llama2c1/model.bin";
    QTest::newRow("llama2.c version 2") << "llama2c2/model.bin";
    QTest::newRow("llama2.c tokenizer") << "llama2c0/tokenizer.bin";
}

/// Touches everything a checkpoint offers.
void TestMutatedCheckpoints::use(const lens::Checkpoint &checkpoint)
{
    for (const lens::TensorInfo &info : checkpoint.tensors()) {
        const auto floats = checkpoint.load(info.name, lens::DType::F32);
        QVERIFY2(floats, info.name.c_str());
        QCOMPARE(floats->sizes().vec(), info.shape);
        QVERIFY(floats->sum().defined());
    }
    QVERIFY(lens::fingerprint(checkpoint));
    QVERIFY(!checkpoint.vocabulary() || !checkpoint.vocabulary()->tokens.empty());
    QVERIFY(checkpoint.config().is_object());
}

void TestMutatedCheckpoints::survives()
{
    QFETCH(QString, file);
    const fs::path folder = path(file).parent_path();
    const std::string original = load(path(file));
    QVERIFY(!original.empty());
    QVERIFY2(lens::openCheckpoint(folder), "the undamaged file must open");
    lens::test::Mutator mutator(20240510);
    int refused = 0;
    for (int i = 0; i < kMutations; ++i) {
        fs::remove(path(file)); // file systems flush a file that is emptied and written again
        save(path(file), mutator.mutate(original));
        lens::test::CpuTimer timer;
        timer.start();
        const auto checkpoint = lens::openCheckpoint(folder);
        if (checkpoint) {
            use(**checkpoint);
        } else {
            ++refused;
            QVERIFY(!checkpoint.error().what.empty() && !checkpoint.error().where.empty());
            QVERIFY2(checkpoint.error().code != lens::ErrorCode::Internal, lens::toString(checkpoint.error()).c_str());
            QVERIFY2(checkpoint.error().code != lens::ErrorCode::OutOfMemory,
                     lens::toString(checkpoint.error()).c_str());
        }
        QVERIFY2(timer.elapsed() < kSlowestMs, "one file took too long");
        if (QTest::currentTestFailed()) {
            fs::copy_file(path(file), fs::path(SUPRALENS_TEST_OUTPUT) / ("mutation-" + path(file).filename().string()),
                          fs::copy_options::overwrite_existing);
            return;
        }
    }
    save(path(file), original);
    qInfo("%d of %d refused", refused, kMutations);
    QVERIFY2(refused > kMutations / 10, "the mutations hardly damage anything");
}

QTEST_APPLESS_MAIN(TestMutatedCheckpoints)
#include "tst_mutatedcheckpoints.moc"
