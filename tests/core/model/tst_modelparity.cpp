// Every fixture checkpoint through the architecture registry: logits, states, attention, mixer outputs, hidden states and
// greedy text against the independent reference implementations; forms, splits and the meta device against ourselves.
#include "model/architecture.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"

#include <c10/core/GradMode.h>

#include <QDir>

using namespace lens;
using namespace lens::test;

namespace {

const QString kModels = SUPRALENS_TEST_DATA "/models/";

QStringList families(const QStringList &filters)
{
    return QDir(kModels).entryList(filters, QDir::Dirs | QDir::NoDotAndDotDot);
}

QString checkpointIn(const QString &folder)
{
    const QString gguf = kModels + folder + "/model.gguf";
    return QFile::exists(gguf) ? gguf : kModels + folder;
}

LanguageModelPtr load(const QString &folder, Device device = {}, ComputeType type = ComputeType::Float32)
{
    const auto checkpoint = openCheckpoint(checkpointIn(folder).toStdString());
    if (!checkpoint) {
        qWarning("%s", toString(checkpoint.error()).c_str());
        return nullptr;
    }
    const auto registry = ArchitectureRegistry::withBuiltins();
    const auto architecture = registry.find(**checkpoint);
    if (!architecture) {
        qWarning("%s", toString(architecture.error()).c_str());
        return nullptr;
    }
    const auto model = (*architecture)->build(**checkpoint, {device, type, {}, {}});
    if (!model) {
        qWarning("%s", toString(model.error()).c_str());
        return nullptr;
    }
    return *model;
}

at::Tensor run(const LanguageModel &model, const at::Tensor &ids, ModelState &state, Execution execution = {},
               ProbeSink *probe = nullptr)
{
    return model.forward(ids, state, {LogitsWanted::All, execution, probe});
}

class Recorder : public ProbeSink {
public:
    bool wants(ProbeKind, std::int64_t) const override { return true; }
    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override { values[{int(kind), layer}] = value; }
    at::Tensor at(ProbeKind kind, std::int64_t layer) const { return values.at({int(kind), layer}); }

    std::map<std::pair<int, std::int64_t>, at::Tensor> values;
};

} // namespace

class ModelParityTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { m_noGrad = std::make_unique<c10::NoGradGuard>(); }
    void cleanupTestCase() { m_noGrad.reset(); }
    void goldens_data() { addModels(); }
    void goldens();
    void formsAndSplits_data() { addModels(); }
    void formsAndSplits();
    void greedy_data() { addModels(); }
    void greedy();
    void statesAreIndependent_data() { addModels(); }
    void statesAreIndependent();
    void metaDevice_data() { addModels(); }
    void metaDevice();
    void bfloat16StaysClose_data() { addModels(); }
    void bfloat16StaysClose();

private:
    void addModels()
    {
        QTest::addColumn<QString>("folder");
        for (const QString &folder : families({"hf_*", "gguf_*", "supra_*", "openlm_*"}))
            QTest::newRow(qPrintable(folder)) << folder;
    }

    std::unique_ptr<c10::NoGradGuard> m_noGrad;
};

void ModelParityTest::goldens()
{
    QFETCH(QString, folder);
    const Golden golden(kModels + folder + "/golden.safetensors");
    QVERIFY(golden.isOpen());
    const LanguageModelPtr model = load(folder);
    QVERIFY(model);
    ModelState state = model->initialState(golden("input_ids").size(0));
    Recorder recorder;
    const at::Tensor logits = run(*model, golden("input_ids"), state, {}, &recorder);
    QVERIFY2(errorOfRange(logits, golden("logits")) < kLogitsOfRange,
             qPrintable(QString::number(errorOfRange(logits, golden("logits")))));
    for (std::int64_t i = 0; i < model->describe().layerCount; ++i) {
        const std::string layer = "layers." + std::to_string(i) + ".";
        const auto check = [&](const std::string &name, const at::Tensor &value) {
            return !golden.contains(layer + name) || relativeError(value, golden(layer + name)) < kStateRelative;
        };
        QVERIFY(check("state_undecayed", state.layer(std::size_t(i)).recurrentState()));
        QVERIFY(check("attn_out", recorder.at(ProbeKind::MixerOut, i)));
        QVERIFY(check("out", recorder.at(ProbeKind::Hidden, i)));
        QVERIFY(check("attn", recorder.at(ProbeKind::Attention, i)));
        QVERIFY(check("linear_attn", recorder.at(ProbeKind::Attention, i).narrow(0, 0, 1)));
    }
}

void ModelParityTest::formsAndSplits()
{
    QFETCH(QString, folder);
    const LanguageModelPtr model = load(folder);
    QVERIFY(model);
    at::manual_seed(4);
    const at::Tensor ids = at::randint(0, 60, {2, 90}, at::kLong);
    ModelState whole = model->initialState(2);
    const at::Tensor expected = run(*model, ids, whole, {Execution::Form::Parallel, 64});
    for (const Execution execution : {Execution{Execution::Form::Chunked, 16}, Execution{Execution::Form::Recurrent, 64}}) {
        ModelState state = model->initialState(2);
        QVERIFY(errorOfRange(run(*model, ids, state, execution), expected) < kLogitsOfRange);
    }
    for (const std::int64_t split : {1, 31, 64, 89}) {
        ModelState state = model->initialState(2);
        const at::Tensor first = run(*model, ids.narrow(1, 0, split), state);
        ModelState branch = state.clone();
        const at::Tensor rest = run(*model, ids.narrow(1, split, 90 - split), branch);
        QVERIFY(errorOfRange(at::cat({first, rest}, 1), expected) < kLogitsOfRange);
        ModelState restored = model->initialState(2);
        QVERIFY(restored.assign(state.tensors()).has_value());
        QVERIFY(at::equal(run(*model, ids.narrow(1, split, 90 - split), restored), rest));
    }
}

void ModelParityTest::greedy()
{
    QFETCH(QString, folder);
    const Golden golden(kModels + folder + "/golden.safetensors");
    QVERIFY(golden.isOpen());
    const LanguageModelPtr model = load(folder);
    QVERIFY(model);
    if (!golden.contains("greedy"))
        QSKIP("the case has no greedy continuation");
    const bool wholePrompt = folder.startsWith("gguf");
    const at::Tensor ids = golden("input_ids").narrow(0, 0, 1);
    at::Tensor next = wholePrompt ? ids : ids.narrow(1, 0, 8);
    ModelState state = model->initialState(1);
    std::vector<std::int64_t> generated;
    for (int i = 0; i < 24; ++i) {
        const at::Tensor logits = model->forward(next, state, {LogitsWanted::Last, {}, nullptr});
        next = logits.argmax(-1);
        generated.push_back(next.item<std::int64_t>());
    }
    QVERIFY(at::equal(at::tensor(generated, at::kLong), golden("greedy").flatten()));
}

void ModelParityTest::statesAreIndependent()
{
    QFETCH(QString, folder);
    const LanguageModelPtr model = load(folder);
    QVERIFY(model);
    at::manual_seed(5);
    const at::Tensor ids = at::randint(0, 60, {1, 20}, at::kLong), other = at::randint(0, 60, {1, 20}, at::kLong);
    ModelState state = model->initialState(1);
    run(*model, ids, state);
    ModelState copy = state.clone();
    const at::Tensor expected = run(*model, ids, copy);
    ModelState second = state.clone();
    run(*model, other, second);
    QCOMPARE(second.position(), std::int64_t(40));
    QVERIFY(at::equal(run(*model, ids, state), expected));
}

void ModelParityTest::metaDevice()
{
    QFETCH(QString, folder);
    const LanguageModelPtr model = load(folder, {DeviceKind::Meta, 0});
    QVERIFY(model);
    ModelState state = model->initialState(2);
    Recorder recorder;
    const auto options = at::TensorOptions().dtype(at::kLong).device(at::kMeta);
    const at::Tensor logits = run(*model, at::empty({2, 80}, options), state, {}, &recorder);
    QCOMPARE(logits.sizes(), at::IntArrayRef({2, 80, model->describe().vocabulary}));
    QVERIFY(logits.is_meta());
    for (const auto &[key, value] : recorder.values)
        QVERIFY(value.is_meta());
    QCOMPARE(run(*model, at::empty({2, 1}, options), state, {}, &recorder).size(1), std::int64_t(1));
    QCOMPARE(state.position(), std::int64_t(81));
}

void ModelParityTest::bfloat16StaysClose()
{
    QFETCH(QString, folder);
    const LanguageModelPtr exact = load(folder), rounded = load(folder, {}, ComputeType::BFloat16);
    QVERIFY(exact && rounded);
    const at::Tensor ids = Golden(kModels + folder + "/golden.safetensors")("input_ids");
    ModelState a = exact->initialState(ids.size(0)), b = rounded->initialState(ids.size(0));
    const at::Tensor reference = run(*exact, ids, a), logits = run(*rounded, ids, b);
    const double error = ((logits - reference).abs().mean() / reference.std()).item<double>();
    QVERIFY2(error < kBFloat16MeanRelative, qPrintable(QString::number(error)));
    for (std::size_t i = 0; i < b.layerCount(); ++i)
        if (const at::Tensor S = b.layer(i).recurrentState(); S.defined())
            QCOMPARE(S.scalar_type(), at::kFloat);
}

QTEST_APPLESS_MAIN(ModelParityTest)
#include "tst_modelparity.moc"
