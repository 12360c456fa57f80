// GPUs, as far as this machine has them: with one, the demo models compute there what they compute on the CPU; without, asking
// for one says why not and leaves a working CPU, whether or not CUDA's libraries could be opened.
#include "engine/engine.h"
#include "fixtures.h"
#include "model/languagemodel.h"
#include "tensor/device.h"

#include <c10/core/GradMode.h>

using namespace lens;

namespace {

const std::string models = SUPRALENS_SOURCE_DIR "/resources/models/";

at::Tensor logitsOn(const std::string &device, const std::string &name)
{
    LoadOptions options;
    options.device = device;
    options.dtype = "float32";
    const auto model = loadModel(models + name, options);
    if (!model)
        throw std::runtime_error(toString(model.error()));
    const c10::NoGradGuard noGrad;
    const auto ids = *(*model)->tokenizer()->encode("Once upon a time, there was a little girl named Lily.");
    const at::Tensor tokens = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong).unsqueeze(0);
    ModelState state = (*model)->model()->initialState(1);
    return (*model)->model()->forward(tokens.to((*model)->model()->device()), state, {}).to(at::kCPU);
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

private:
    std::string m_opened;
};

QTEST_GUILESS_MAIN(TestCuda)
#include "tst_cuda.moc"
