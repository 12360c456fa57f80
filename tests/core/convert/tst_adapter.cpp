// SUPRA adapters: what is written comes back, what is applied is the merged model, and what is wrong is refused.
#include "checkpoint/safetensors.h"
#include "convert/adapter.h"
#include "convert/convert.h"
#include "fuzz/mutator.h"
#include "model/architecture.h"
#include "model/decoder.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"

#include <c10/core/GradMode.h>

#include <QFile>
#include <QTemporaryDir>

using namespace lens;
using namespace lens::test;

namespace {

LanguageModelPtr fixture(const char *path)
{
    const auto checkpoint = openCheckpoint(std::string(SUPRALENS_TEST_DATA "/models/") + path);
    const auto registry = ArchitectureRegistry::withBuiltins();
    const auto architecture = checkpoint ? registry.find(**checkpoint) : Result<const Architecture *>(propagate(checkpoint));
    const auto model = architecture ? (*architecture)->build(**checkpoint, {{}, ComputeType::Float32, {}, {}})
                                    : Result<LanguageModelPtr>(propagate(architecture));
    return model.value_or(nullptr);
}

const Decoder &decoder(const LanguageModelPtr &model)
{
    return dynamic_cast<const Decoder &>(*model);
}

at::Tensor logits(const LanguageModel &model)
{
    at::manual_seed(8);
    ModelState state = model.initialState(1);
    return model.forward(at::randint(0, 60, {1, 40}, at::kLong), state, {});
}

/// As training leaves it: maps of a conversion, a scale behind every linear mixer, changes of q, v, out and up.
SupraAdapter sample(const LanguageModelPtr &base, const char *conversion)
{
    at::manual_seed(3);
    const LanguageModelPtr converted = convert(*base, parseConversion(conversion).value()).value();
    SupraAdapter adapter;
    adapter.baseFingerprint = "0123456789abcdef0123456789abcdef";
    adapter.baseName = "a base";
    adapter.baseHint = "base.gguf";
    adapter.config = decoder(converted).config();
    adapter.config.untrained = false;
    adapter.config.origin = "trained on nothing";
    adapter.loraScale = 2;
    for (const auto &[name, weight] : decoder(converted).weights()) {
        if (name.find("feature_map") != std::string::npos)
            adapter.tensors[name] = weight + 0.1 * at::randn_like(weight);
        for (const char *target : {".mixer.q.weight", ".mixer.v.weight", ".mixer.out.weight", ".ffn.up.weight"})
            if (name.ends_with(target)) {
                const std::string projection = name.substr(0, name.size() - 7);
                adapter.tensors[projection + ".lora_a"] = 0.1 * at::randn({2, weight.size(1)});
                adapter.tensors[projection + ".lora_b"] = 0.1 * at::randn({weight.size(0), 2});
            }
    }
    for (std::size_t i = 0; i < adapter.config.layers.size(); ++i) {
        MixerConfig &mixer = adapter.config.layers[i];
        if (!mixer.isLinear())
            continue;
        mixer.slopes[0] = 0.123456789;
        adapter.tensors["layers." + std::to_string(i) + ".mixer.scale"] = 1 + 0.2 * at::randn({mixer.heads * mixer.valueDim});
    }
    return adapter;
}

QByteArray contents(const std::string &path)
{
    QFile file(QString::fromStdString(path));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void put(const std::string &path, const QByteArray &bytes)
{
    QFile file(QString::fromStdString(path));
    if (file.open(QIODevice::WriteOnly))
        file.write(bytes);
}

} // namespace

class AdapterTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { m_noGrad = std::make_unique<c10::NoGradGuard>(); }
    void cleanupTestCase() { m_noGrad.reset(); }
    void comesBack_data();
    void comesBack();
    void appliedIsMerged_data();
    void appliedIsMerged();
    void sharesWhatDoesNotChange();
    void refusesOtherBases();
    void refusesWrongTensors_data();
    void refusesWrongTensors();
    void damagedFilesAreErrors();
    void survivesMutations();
    void aCheckpointIsNoAdapter();

private:
    std::string path(const char *name) const { return m_folder.filePath(QString::fromLatin1(name)).toStdString(); }

    QTemporaryDir m_folder;
    std::unique_ptr<c10::NoGradGuard> m_noGrad;
};

void AdapterTest::comesBack_data()
{
    QTest::addColumn<QString>("storage");
    QTest::addColumn<double>("tolerance");
    QTest::newRow("float32") << "float32" << 0.0;
    QTest::newRow("float16") << "float16" << 6e-4;
    QTest::newRow("int8") << "int8" << 0.5 / 127 + 1e-6;
}

void AdapterTest::comesBack()
{
    QFETCH(QString, storage);
    QFETCH(double, tolerance);
    const SupraAdapter adapter = sample(fixture("hf_llama_gqa"), "supra:relu-per-head:layers=1");
    const auto error = writeAdapter(path("a.safetensors"), adapter, parseAdapterStorage(storage.toStdString()).value());
    QVERIFY2(error, error ? "" : toString(error.error()).c_str());
    QVERIFY(*error <= tolerance && (tolerance == 0 || *error > 0));
    const auto back = readAdapter(path("a.safetensors"));
    QVERIFY2(back, back ? "" : toString(back.error()).c_str());
    QCOMPARE(back->baseFingerprint, adapter.baseFingerprint);
    QCOMPARE(back->baseName, adapter.baseName);
    QCOMPARE(back->baseHint, adapter.baseHint);
    QCOMPARE(back->loraScale, adapter.loraScale);
    QVERIFY(back->config == adapter.config);
    QCOMPARE(back->tensors.size(), adapter.tensors.size());
    for (const auto &[name, tensor] : adapter.tensors) {
        QVERIFY2(relativeError(back->tensors.at(name), tensor) <= tolerance, name.c_str());
        QCOMPARE(back->tensors.at(name).scalar_type(), at::kFloat);
    }
}

void AdapterTest::appliedIsMerged_data()
{
    QTest::addColumn<QString>("base");
    QTest::addColumn<QString>("conversion");
    QTest::newRow("grouped keys, maps per head") << "hf_llama_gqa" << "supra:relu-per-head";
    QTest::newRow("grouped keys, full maps") << "hf_llama_gqa" << "supra:retnet";
    QTest::newRow("one map for q and k") << "hf_llama_tied_linear_rope" << "supra";
    QTest::newRow("hybrid") << "hf_llama_gqa" << "supra:layers=1";
    QTest::newRow("with a normaliser") << "gguf_f16/model.gguf" << "linear:hedgehog";
    QTest::newRow("nothing to learn") << "gguf_f16/model.gguf" << "linear";
}

void AdapterTest::appliedIsMerged()
{
    QFETCH(QString, base);
    QFETCH(QString, conversion);
    const LanguageModelPtr model = fixture(qPrintable(base));
    QVERIFY(model);
    const SupraAdapter adapter = sample(model, qPrintable(conversion));
    const auto adapted = applyAdapter(*model, adapter);
    QVERIFY2(adapted, adapted ? "" : toString(adapted.error()).c_str());

    NamedTensors merged = decoder(model).weights();
    for (const auto &[name, tensor] : adapter.tensors) {
        if (name.ends_with(".lora_a")) {
            const std::string projection = name.substr(0, name.size() - 7);
            merged[projection + ".weight"] = merged.at(projection + ".weight") + 2 * adapter.tensors.at(projection + ".lora_b").mm(tensor);
        } else if (!name.ends_with(".lora_b")) {
            merged[name] = tensor;  // the decoder takes the scale as a tensor of its own
        }
    }
    const auto expected = Decoder::create(adapter.config, merged, "merged");
    QVERIFY2(expected, expected ? "" : toString(expected.error()).c_str());
    QVERIFY(errorOfRange(logits(**adapted), logits(**expected)) < 1e-5);
    const ModelInfo info = (*adapted)->describe();
    QVERIFY(!info.untrained);
    QCOMPARE(info.origin, std::string("trained on nothing"));
    QVERIFY(errorOfRange(logits(**adapted), logits(*model)) > 1e-3);
}

void AdapterTest::sharesWhatDoesNotChange()
{
    const LanguageModelPtr model = fixture("hf_llama_gqa");
    const auto adapted = applyAdapter(*model, sample(model, "supra:layers=1"));
    QVERIFY(adapted);
    const NamedTensors &before = decoder(model).weights(), &after = decoder(*adapted).weights();
    for (const char *name : {"embedding.weight", "layers.0.mixer.k.weight", "layers.1.mixer.k.weight", "layers.1.ffn.down.weight"})
        QVERIFY2(after.at(name).is_same(before.at(name)), name);
    QVERIFY(!after.at("layers.0.mixer.q.weight").is_same(before.at("layers.0.mixer.q.weight")));
}

void AdapterTest::refusesOtherBases()
{
    const SupraAdapter adapter = sample(fixture("hf_llama_gqa"), "supra");
    for (const char *other : {"hf_llama_tied_linear_rope", "gguf_f16/model.gguf"})
        QCOMPARE(applyAdapter(*fixture(other), adapter).error().code, ErrorCode::Mismatch);
}

void AdapterTest::refusesWrongTensors_data()
{
    QTest::addColumn<QByteArray>("fault");
    for (const char *fault : {"a map missing", "half a change", "an unknown tensor", "another shape", "a rank that does not agree",
                              "not finite", "a scale in a softmax layer", "a change of the embedding"})
        QTest::newRow(fault) << QByteArray(fault);
}

void AdapterTest::refusesWrongTensors()
{
    QFETCH(QByteArray, fault);
    SupraAdapter adapter = sample(fixture("hf_llama_gqa"), "supra:relu-per-head:layers=1");
    NamedTensors &tensors = adapter.tensors;
    if (fault == "a map missing")
        tensors.erase("layers.1.mixer.feature_map_k.bias");
    else if (fault == "half a change")
        tensors.erase("layers.0.mixer.q.lora_b");
    else if (fault == "an unknown tensor")
        tensors["layers.0.mixer.k.weight"] = at::ones({2, 2});
    else if (fault == "another shape")
        tensors["layers.1.mixer.scale"] = at::ones({3});
    else if (fault == "a rank that does not agree")
        tensors["layers.0.mixer.q.lora_a"] = at::ones({3, tensors["layers.0.mixer.q.lora_a"].size(1)});
    else if (fault == "not finite")
        tensors["layers.1.mixer.scale"][0] = std::numeric_limits<float>::quiet_NaN();
    else if (fault == "a scale in a softmax layer")
        tensors["layers.0.mixer.scale"] = tensors["layers.1.mixer.scale"];
    else
        tensors["embedding.lora_a"] = tensors["embedding.lora_b"] = at::ones({1, 1});
    QCOMPARE(writeAdapter(path("wrong.safetensors"), adapter, AdapterStorage::Float32).error().code, ErrorCode::Malformed);
    QCOMPARE(applyAdapter(*fixture("hf_llama_gqa"), adapter).error().code, ErrorCode::Malformed);
    QVERIFY(!QFile::exists(m_folder.filePath("wrong.safetensors")));
}

void AdapterTest::damagedFilesAreErrors()
{
    const std::string good = path("good.safetensors"), bad = path("bad.safetensors");
    QVERIFY(writeAdapter(good, sample(fixture("hf_llama_gqa"), "supra:relu-per-head:layers=1"), AdapterStorage::Int8));
    const QByteArray bytes = contents(good);
    for (qsizetype length = 0; length < bytes.size(); length += 997) {
        put(bad, bytes.left(length));
        QVERIFY2(!readAdapter(bad), qPrintable(QString::number(length)));
    }
    const QByteArrayList words{"supralens-adapter", "\\\"heads\\\":8", "\\\"kind\\\":\\\"supra\\\"", "\\\"hidden_size\\\":", "layers.1.mixer.scale",
                               "\"I8\"", "lora_a.scales"};
    for (const QByteArray &word : words) {
        const qsizetype at = bytes.indexOf(word);
        QVERIFY2(at > 0, word.constData());
        QByteArray damaged = bytes;
        damaged[at + word.size() / 2] = damaged[at + word.size() / 2] == '7' ? '6' : '7';
        put(bad, damaged);
        QVERIFY2(!readAdapter(bad), word.constData());
    }
}

/// What is read at all can be applied, or is refused for a reason; nothing crashes.
void AdapterTest::survivesMutations()
{
    const LanguageModelPtr base = fixture("hf_llama_gqa");
    const std::string file = path("mutated.safetensors");
    QVERIFY(writeAdapter(file, sample(base, "supra:relu-per-head:layers=1"), AdapterStorage::Int8));
    const std::string original = contents(file).toStdString();
    Mutator mutator(20240511);
    int refused = 0;
    for (int i = 0; i < 1000; ++i) {
        put(file, QByteArray::fromStdString(mutator.mutate(original)));
        const auto adapter = readAdapter(file);
        const auto adapted = adapter ? applyAdapter(*base, *adapter) : Result<LanguageModelPtr>(propagate(adapter));
        if (adapted)
            continue;
        ++refused;
        QVERIFY(!adapted.error().what.empty());
        QVERIFY2(adapted.error().code != ErrorCode::Internal, toString(adapted.error()).c_str());
    }
    qInfo("%d of 1000 refused", refused);
    QVERIFY(refused > 300);
}

void AdapterTest::aCheckpointIsNoAdapter()
{
    QCOMPARE(readAdapter(SUPRALENS_TEST_DATA "/models/hf_llama_gqa/model.safetensors").error().code, ErrorCode::Malformed);
    QCOMPARE(readAdapter("/does/not/exist").error().code, ErrorCode::NotFound);
    const std::string file = path("one.safetensors");
    QVERIFY(writeAdapter(file, sample(fixture("hf_llama_gqa"), "supra"), AdapterStorage::Float16));
    const auto opened = openCheckpoint(file);
    QVERIFY(!opened);
    QCOMPARE(opened.error().code, ErrorCode::Unsupported);
    QVERIFY(opened.error().what.find("adapter") != std::string::npos);
}

QTEST_GUILESS_MAIN(AdapterTest)
#include "tst_adapter.moc"
