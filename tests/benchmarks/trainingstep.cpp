// A SUPRA training step against the same step in PyTorch with full matrices, as open_lm's parallel form computes it:
// tokens a second of the fastest of some steps, and memory above that of the idle process. Prints JSON.
//   trainingstep                      all cases, ours and PyTorch's, each in a process of its own
//   trainingstep --own D L H V T TYPE  one case of ours
// $SUPRALENS_PYTHON names a Python with PyTorch; without it there is nothing to compare with.
#include "mixer/decay.h"
#include "model/decoder.h"
#include "uptrain/losses.h"
#include "uptrain/optimiser.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <algorithm>
#include <cstdio>
#include <torch/csrc/autograd/autograd.h>

using namespace lens;

namespace {

const QList<QStringList> kCases{
    {"256", "4", "4", "4096", "2048", "float32"}, {"256", "4", "4", "4096", "2048", "bfloat16"},
    {"384", "6", "6", "8192", "2048", "float32"}, {"256", "4", "4", "4096", "512", "float32"},
};

constexpr int kWarmUp = 2, kSteps = 8;

DecoderConfig configOf(const QStringList &sizes)
{
    DecoderConfig config;
    config.architecture = "llama";
    config.hiddenSize = sizes[0].toInt();
    config.vocabulary = sizes[3].toInt();
    config.trainedContext = sizes[4].toInt();
    config.tiedEmbeddings = true;
    config.feedForward.width = 256 * ((config.hiddenSize * 8 / 3 + 255) / 256);
    MixerConfig mixer;
    mixer.kind = MixerKind::Supra;
    mixer.heads = mixer.kvHeads = sizes[2].toInt();
    mixer.inputDim = mixer.keyDim = mixer.valueDim = config.hiddenSize / mixer.heads;
    mixer.rope.dimensions = mixer.keyDim;
    mixer.features = FeatureMapForm::SharedRelu;
    mixer.slopes = decaySlopes(DecayKind::Lightning, static_cast<int>(mixer.heads));
    config.layers.assign(static_cast<std::size_t>(sizes[1].toInt()), mixer);
    return config;
}

/// Kilobytes of a line of /proc/self/status.
qint64 status(const char *key)
{
    QFile file("/proc/self/status");
    if (!file.open(QIODevice::ReadOnly))
        return 0;
    for (const QByteArray &line : file.readAll().split('\n'))
        if (line.startsWith(key))
            return line.mid(int(qstrlen(key)) + 1).simplified().split(' ').value(0).toLongLong();
    return 0;
}

class Step {
public:
    explicit Step(const QStringList &sizes)
        : m_config(configOf(sizes)), m_type(sizes[5] == "bfloat16" ? at::kBFloat16 : at::kFloat), m_tokens(sizes[4].toInt())
    {
        at::manual_seed(1);
        for (const auto &[name, shape] : requiredTensors(m_config))
            m_masters[name] = name.find("norm") != std::string::npos ? at::ones(shape) : at::randn(shape) * 0.02;
        m_optimiser = std::make_unique<Optimiser>(m_masters, OptimiserOptions());
        for (auto &[name, master] : m_masters)
            master.set_requires_grad(true);
    }

    double run()
    {
        NamedTensors weights, gradients;
        for (auto &[name, master] : m_masters) {
            master.mutable_grad() = at::Tensor();
            weights[name] = master.to(m_type);
        }
        const auto decoder = Decoder::create(m_config, weights, "benchmark", WeightCheck::ShapesOnly);
        const at::Tensor ids = at::randint(m_config.vocabulary, {1, m_tokens + 1}, at::kLong);
        ModelState state = (*decoder)->initialState(1);
        const at::Tensor hidden = (*decoder)->forward(ids.narrow(1, 0, m_tokens), state, {LogitsWanted::Hidden, {}, nullptr});
        const at::Tensor loss = crossEntropy(hidden.flatten(0, 1), (*decoder)->outputWeight(), ids.narrow(1, 1, m_tokens).flatten());
        loss.backward();
        for (const auto &[name, master] : m_masters)
            gradients[name] = master.grad();
        m_optimiser->step(1e-3, gradients);
        return loss.item<double>();
    }

private:
    DecoderConfig m_config;
    at::ScalarType m_type;
    std::int64_t m_tokens;
    NamedTensors m_masters;
    std::unique_ptr<Optimiser> m_optimiser;
};

QJsonObject measure(const QStringList &sizes)
{
    at::matmul(at::ones({64, 64}), at::ones({64, 64}));  // threads and kernels are there
    const qint64 idle = status("VmRSS");
    Step step(sizes);
    double loss = 0;
    for (int i = 0; i < kWarmUp; ++i)
        loss = step.run();
    std::vector<double> seconds;
    for (int i = 0; i < kSteps; ++i) {
        QElapsedTimer timer;
        timer.start();
        loss = step.run();
        seconds.push_back(double(timer.nsecsElapsed()) / 1e9);
    }
    const double fastest = *std::min_element(seconds.begin(), seconds.end());
    const double peak = double(status("VmHWM") - idle) / 1024;
    return {{"tokens_per_second", sizes[4].toInt() / fastest}, {"peak_mib", peak}, {"loss", loss}};
}

QJsonObject runChild(const QString &program, const QStringList &arguments)
{
    QProcess child;
    child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    child.start(program, arguments);
    if (!child.waitForFinished(-1) || child.exitCode() != 0)
        return {};
    return QJsonDocument::fromJson(child.readAllStandardOutput()).object();
}

QJsonObject compare(const QStringList &sizes)
{
    const QString python = qEnvironmentVariable("SUPRALENS_PYTHON");
    const QStringList names{"hidden", "layers", "heads", "vocabulary", "tokens", "dtype"};
    QJsonObject result;
    for (int i = 0; i < names.size(); ++i)
        result[names[i]] = i < 5 ? QJsonValue(sizes[i].toInt()) : QJsonValue(sizes[i]);
    result["ours"] = runChild(QCoreApplication::applicationFilePath(), QStringList{"--own"} + sizes);
    if (python.isEmpty())
        return result;
    const QJsonObject theirs = runChild(python, QStringList{SUPRALENS_SOURCE_DIR "/tests/benchmarks/trainingstep.py"} + sizes);
    result["pytorch"] = theirs;
    if (theirs.isEmpty())
        return result;
    const auto ratio = [&](const char *key) { return result["ours"].toObject()[key].toDouble() / theirs[key].toDouble(); };
    result["times_as_fast"] = ratio("tokens_per_second");
    result["share_of_memory"] = ratio("peak_mib");
    return result;
}

} // namespace

int main(int count, char **values)
{
    const QCoreApplication application(count, values);
    const QStringList arguments = QCoreApplication::arguments().mid(1);
    if (arguments.value(0) == "--own" && arguments.size() == 7) {
        std::puts(QJsonDocument(measure(arguments.mid(1))).toJson(QJsonDocument::Compact).constData());
        return 0;
    }
    if (qEnvironmentVariableIsEmpty("SUPRALENS_PYTHON"))
        std::fputs("SUPRALENS_PYTHON is not set: PyTorch is left out\n", stderr);
    QJsonArray cases;
    for (const QStringList &sizes : kCases)
        cases.append(compare(sizes));
    std::puts(QJsonDocument(cases).toJson().constData());
    return 0;
}
