// GPUs, as far as this machine has them: with one, the demo models compute there what they compute on the CPU, and
// write the same text whether the host or the GPU chooses its tokens; without, asking for one says why not and leaves a
// working CPU, whether or not CUDA's libraries could be opened.
#include "engine/engine.h"
#include "engine/generation.h"
#include "fixtures.h"
#include "model/languagemodel.h"
#include "tensor/device.h"
#include "tensor/hosttransfer.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>

using namespace lens;

namespace {

const std::string models = SUPRALENS_SOURCE_DIR "/resources/models/";

constexpr const char *story = "Once upon a time, there was a little girl named Lily.";

LoadedModelPtr modelOn(const std::string &device, const std::string &name)
{
    LoadOptions options;
    options.device = device;
    options.dtype = "float32";
    const auto model = loadModel(models + name, options);
    if (!model)
        throw std::runtime_error(toString(model.error()));
    return *model;
}

at::Tensor logitsOn(const std::string &device, const std::string &name)
{
    const LoadedModelPtr model = modelOn(device, name);
    const c10::NoGradGuard noGrad;
    const auto ids = *model->tokenizer()->encode(story);
    const at::Tensor tokens = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong).unsqueeze(0);
    ModelState state = model->model()->initialState(1);
    return model->model()->forward(tokens.to(model->model()->device()), state, {}).to(at::kCPU);
}

/// A story, and how it goes on in a second call.
std::vector<TokenId> written(const LoadedModel &model, const SamplingOptions &sampling, ChooseOn where)
{
    auto runner = std::move(*SequenceRunner::create(model.model()));
    GenerationOptions options;
    options.sampling = sampling;
    options.maxTokens = 150;
    options.stopStrings = {"was"};
    std::vector<TokenId> ids = *model.tokenizer()->encode(story);
    for (int call = 0; call < 2; ++call) {
        const auto result = Generation(model, runner, options, {}, {}, where).run(ids);
        if (!result)
            throw std::runtime_error(toString(result.error()));
        ids.insert(ids.end(), result->ids.begin(), result->ids.end());
        if (runner.ids().size() + 1 != ids.size() || !runner.logits())
            throw std::runtime_error("the session is not where its text ends");
    }
    return ids;
}

bool hasGpu()
{
    const auto devices = availableDevices();
    return std::any_of(devices.begin(), devices.end(), [](const DeviceInfo &one) { return one.device.kind == DeviceKind::Cuda; });
}

} // namespace

class TestCuda : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { m_opened = openAccelerators(); }

    void cpuStaysUsable()
    {
        QVERIFY(!m_opened.empty());
        QVERIFY(availableDevices().front().device.kind == DeviceKind::Cpu);
        QVERIFY(logitsOn("cpu", "stories-supra").isfinite().all().item<bool>());
    }

    void withoutGpuTheReasonIsSaid()
    {
        if (hasGpu())
            QSKIP("there is a GPU");
        const auto any = chooseDevice("auto"), wanted = chooseDevice("cuda:0");
        QVERIFY(any && any->device.kind != DeviceKind::Cuda);
        QVERIFY(!wanted && wanted.error().code == ErrorCode::Device && !wanted.error().advice.empty());
    }

    void sameLogits_data()
    {
        QTest::addColumn<QString>("name");
        for (const char *name : {"stories-softmax", "stories-supra", "stories-supra-nodecay", "stories-t2r"})
            QTest::newRow(name) << name;
    }

    void sameLogits()
    {
        if (!hasGpu())
            QSKIP(("no CUDA device: " + m_opened).c_str());
        QFETCH(QString, name);
        const at::Tensor here = logitsOn("cpu", name.toStdString()), there = logitsOn("cuda:0", name.toStdString());
        QVERIFY(((here - there).abs().max() / (here.max() - here.min())).item<double>() < 1e-3);
        for (const DeviceInfo &one : availableDevices())
            QVERIFY(one.totalMemory >= one.availableMemory && one.availableMemory > 0);
    }

    void decodesAsFromTheHost_data() { sameLogits_data(); }

    /// Both ways on the GPU: the same logits, chosen from here and there.
    void decodesAsFromTheHost()
    {
        if (!hasGpu())
            QSKIP(("no CUDA device: " + m_opened).c_str());
        QFETCH(QString, name);
        const LoadedModelPtr model = modelOn("cuda:0", name.toStdString());
        for (const double temperature : {0.0, 0.8, 1.2}) {
            SamplingOptions sampling;
            sampling.temperature = temperature;
            sampling.seed = 3;
            if (temperature > 1) {
                sampling.topK = 50;
                sampling.topP = 0.95;
                sampling.repetitionPenalty = 1.1;
            }
            QCOMPARE(written(*model, sampling, ChooseOn::Device), written(*model, sampling, ChooseOn::Host));
        }
    }

    void transfersKeepEveryNumber()
    {
        if (!hasGpu())
            QSKIP(("no CUDA device: " + m_opened).c_str());
        const at::Device gpu(at::kCUDA, 0);
        QVERIFY(hostBuffer({4}, at::kFloat, gpu).is_pinned());
        const at::Tensor numbers = at::randn({1000, 333});
        Upload upload(gpu, 1 << 16);
        for (const at::Tensor &there : {upload.send(numbers), upload.send(numbers.t()).t(), sentTo(gpu, numbers)}) {
            QVERIFY(there.is_cuda());
            const Readback readback(there);
            QVERIFY(at::equal(readback.wait(), numbers));
        }
    }

    void tooLittleMemoryIsSaid()
    {
        if (!hasGpu())
            QSKIP(("no CUDA device: " + m_opened).c_str());
        const auto ask = [](std::int64_t bytes) {
            const auto options = at::TensorOptions().dtype(at::kByte).device(at::kCUDA);
            return guarded("here", [&]() -> Result<at::Tensor> { return at::zeros({bytes}, options); });
        };
        const auto refused = ask(std::int64_t{1} << 45);
        QVERIFY(!refused && refused.error().code == ErrorCode::OutOfMemory);
        QVERIFY(ask(1 << 20).has_value());
    }

private:
    std::string m_opened;
};

QTEST_GUILESS_MAIN(TestCuda)
#include "tst_cuda.moc"
