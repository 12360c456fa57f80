// The template as its readers would use it: built outside of the tree against installed headers, then found and run.
#include "checkpoint/writer.h"
#include "engine/dump.h"
#include "engine/engine.h"
#include "model/languagemodel.h"
#include "model/plugindescriptor.h"

#include <c10/core/GradMode.h>

#include <QDir>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

namespace {

constexpr std::int64_t vocabulary = 23, width = 12;

class Recorder : public ProbeSink {
public:
    bool wants(ProbeKind, std::int64_t) const override { return true; }
    void offer(ProbeKind kind, std::int64_t, const at::Tensor &value) override { values[kind] = value; }
    std::map<ProbeKind, at::Tensor> values;
};

} // namespace

class tst_template : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void itIsFoundWithItsFacts();
    void itsFormsAgreeAndItResumes();
    void itsProbesHaveTheirShapes();
    void itRunsOnTheMetaDevice();
    void itRefusesAnotherModelsWeights();

private:
    void run(const QStringList &arguments);
    LoadedModelPtr load(const std::string &device = "cpu") const;

    QTemporaryDir m_folder;
    std::string m_plugins;
};

void tst_template::run(const QStringList &arguments)
{
    QProcess cmake;
    cmake.setProcessChannelMode(QProcess::MergedChannels);
    cmake.start(QStringLiteral(SUPRALENS_CMAKE), arguments);
    QVERIFY(cmake.waitForFinished(240'000));
    QVERIFY2(cmake.exitStatus() == QProcess::NormalExit && cmake.exitCode() == 0, cmake.readAll().right(4000).constData());
}

void tst_template::initTestCase()
{
    QVERIFY(m_folder.isValid());
    qputenv("XDG_CACHE_HOME", m_folder.filePath("cache").toUtf8());
    const QString prefix = m_folder.filePath("prefix");
    for (const char *component : {"application", "development"})
        run({"--install", SUPRALENS_BUILD_DIR, "--component", component, "--prefix", prefix});
    const QString source = m_folder.filePath("source"), build = m_folder.filePath("build");
    run({"-E", "copy_directory", SUPRALENS_SOURCE_DIR "/plugins/template", source});
    run({"-G", "Ninja", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_COMPILER=" SUPRALENS_CXX,
         "-DCMAKE_PREFIX_PATH=" + prefix});
    run({"--build", build});
    m_plugins = (build + "/lib/supralens/plugins").toStdString();

    const QString model = m_folder.filePath("model");
    QVERIFY(QDir().mkpath(model));
    at::Generator random = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{7});
    const NamedTensors tensors = {{"embedding.weight", at::randn({vocabulary, width}, random, at::kFloat)},
                                  {"decay", at::rand({width}, random, at::kFloat) * 0.9 + 0.05},
                                  {"output.weight", at::randn({vocabulary, width}, random, at::kFloat)}};
    QVERIFY(writeSafetensors((model + "/model.safetensors").toStdString(), tensors));
    QVERIFY(writeFileAtomically((model + "/config.json").toStdString(),
                                R"({"model_type": "ema", "vocab_size": 23, "hidden_size": 12})"));
}

LoadedModelPtr tst_template::load(const std::string &device) const
{
    LoadOptions options;
    options.device = device;
    options.dtype = "float32";
    options.pluginFolders = {m_plugins};
    const auto model = loadModel(m_folder.filePath("model").toStdString(), options);
    if (!model)
        qFatal("%s", toString(model.error()).c_str());
    return *model;
}

void tst_template::itIsFoundWithItsFacts()
{
    const auto plugins = listPlugins({m_plugins});
    QCOMPARE(plugins.size(), 1u);
    QVERIFY2(plugins[0].state == PluginInfo::State::Usable, plugins[0].reason.c_str());
    QCOMPARE(plugins[0].name, std::string("Moving average"));
    const ModelInfo info = load()->info();
    QCOMPARE(info.architecture, std::string("ema"));
    QCOMPARE(info.layers.at(0).channelGamma.size(), std::size_t(width));
    QCOMPARE(info.parameters, std::uint64_t(2 * vocabulary * width + width));
    QVERIFY(info.isRecurrent());
}

void tst_template::itsFormsAgreeAndItResumes()
{
    const c10::NoGradGuard noGrad;
    const LoadedModelPtr loaded = load();
    const LanguageModel &model = *loaded->model();
    const at::Tensor tokens = (at::arange(2 * 77, at::kLong) * 5 % vocabulary).view({2, 77});
    const auto run = [&](const at::Tensor &part, ModelState &state, Execution::Form form) {
        ForwardOptions options;
        options.execution.form = form;
        return model.forward(part, state, options);
    };
    ModelState first = model.initialState(2), second = model.initialState(2), third = model.initialState(2);
    const at::Tensor recurrent = run(tokens, first, Execution::Form::Recurrent);
    const at::Tensor chunked = run(tokens, second, Execution::Form::Chunked);
    QVERIFY(at::allclose(recurrent, chunked, 1e-4, 1e-5));
    const at::Tensor head = run(tokens.narrow(1, 0, 31), third, Execution::Form::Chunked);
    ModelState branch = third.clone();
    QVERIFY(branch.assign(third.tensors()));
    const at::Tensor rest = run(tokens.narrow(1, 31, 46), branch, Execution::Form::Chunked);
    QVERIFY(at::allclose(at::cat({head, rest}, 1), recurrent, 1e-4, 1e-5));
    QCOMPARE(branch.position(), std::int64_t(77));
}

void tst_template::itsProbesHaveTheirShapes()
{
    const c10::NoGradGuard noGrad;
    const LoadedModelPtr loaded = load();
    Recorder recorder;
    ForwardOptions options;
    options.probe = &recorder;
    ModelState state = loaded->model()->initialState(1);
    loaded->model()->forward(at::arange(9, at::kLong).unsqueeze(0), state, options);
    QVERIFY(recorder.values.at(ProbeKind::StateNorm).sizes() == at::IntArrayRef({1, 1, 9}));
    QVERIFY(recorder.values.at(ProbeKind::Retention).sizes() == at::IntArrayRef({1, 1, 9}));
    const at::Tensor attention = recorder.values.at(ProbeKind::Attention);
    QVERIFY(attention.sizes() == at::IntArrayRef({1, 1, 9, 9}));
    QVERIFY(at::equal(attention, at::tril(attention)));
    const at::Tensor norm = state.layer(0).tensors().at("state").norm();
    QVERIFY(at::allclose(recorder.values.at(ProbeKind::StateNorm)[0][0][8], norm));
}

void tst_template::itRunsOnTheMetaDevice()
{
    const c10::NoGradGuard noGrad;
    const LoadedModelPtr loaded = load("meta");
    Recorder recorder;
    for (const Execution::Form form : {Execution::Form::Recurrent, Execution::Form::Chunked}) {
        ForwardOptions options;
        options.execution.form = form;
        options.probe = &recorder;
        ModelState state = loaded->model()->initialState(2);
        const auto tokens = at::zeros({2, 40}, at::TensorOptions().dtype(at::kLong).device(at::kMeta));
        QVERIFY(loaded->model()->forward(tokens, state, options).sizes() == at::IntArrayRef({2, 40, vocabulary}));
    }
}

void tst_template::itRefusesAnotherModelsWeights()
{
    const QString model = m_folder.filePath("other");
    QVERIFY(QDir().mkpath(model));
    QVERIFY(QFile::copy(m_folder.filePath("model/model.safetensors"), model + "/model.safetensors"));
    QVERIFY(writeFileAtomically((model + "/config.json").toStdString(),
                                R"({"model_type": "ema", "vocab_size": 23, "hidden_size": 13})"));
    LoadOptions options;
    options.pluginFolders = {m_plugins};
    const auto loaded = loadModel(model.toStdString(), options);
    QVERIFY(!loaded);
    QVERIFY(loaded.error().code == ErrorCode::Mismatch);
}

QTEST_GUILESS_MAIN(tst_template)
#include "tst_template.moc"
