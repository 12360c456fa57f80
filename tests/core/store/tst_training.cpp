// Training runs in the workspace.
#include "storetest.h"
#include "trainingsamples.h"

#include <QElapsedTimer>
#include <QFile>
#include <limits>
#include <zstd.h>

using namespace lens;
using namespace lens::test;

namespace {

void compareMetrics(const TrainingMetrics &got, const TrainingMetrics &expected)
{
    QCOMPARE(got.steps.size(), expected.steps.size());
    for (std::size_t i = 0; i < got.steps.size(); ++i) {
        QCOMPARE(got.steps[i].step, expected.steps[i].step);
        QCOMPARE(got.steps[i].stage, expected.steps[i].stage);
        QCOMPARE(got.steps[i].loss, expected.steps[i].loss);
        QCOMPARE(got.steps[i].gradientNorm, expected.steps[i].gradientNorm);
        QCOMPARE(got.steps[i].learningRate, expected.steps[i].learningRate);
        QCOMPARE(got.steps[i].tokens, expected.steps[i].tokens);
        QCOMPARE(got.steps[i].seconds, expected.steps[i].seconds);
        QCOMPARE(got.steps[i].tokensPerSecond, expected.steps[i].tokensPerSecond);
        QCOMPARE(got.steps[i].skipped, expected.steps[i].skipped);
    }
    QCOMPARE(got.evaluations.size(), expected.evaluations.size());
    for (std::size_t i = 0; i < got.evaluations.size(); ++i) {
        QCOMPARE(got.evaluations[i].step, expected.evaluations[i].step);
        QCOMPARE(got.evaluations[i].tokens, expected.evaluations[i].tokens);
        QCOMPARE(got.evaluations[i].perplexity, expected.evaluations[i].perplexity);
        QCOMPARE(got.evaluations[i].originalPerplexity, expected.evaluations[i].originalPerplexity);
    }
    QCOMPARE(got.layers.size(), expected.layers.size());
    for (std::size_t i = 0; i < got.layers.size(); ++i) {
        QCOMPARE(got.layers[i].step, expected.layers[i].step);
        QCOMPARE(got.layers[i].largestActivation, expected.layers[i].largestActivation);
        QCOMPARE(got.layers[i].outputError, expected.layers[i].outputError);
        QCOMPARE(got.layers[i].headFidelity, expected.layers[i].headFidelity);
    }
    QCOMPARE(got.samples.size(), expected.samples.size());
    for (std::size_t i = 0; i < got.samples.size(); ++i) {
        QCOMPARE(got.samples[i].prompt, expected.samples[i].prompt);
        QCOMPARE(got.samples[i].text, expected.samples[i].text);
        QCOMPARE(got.samples[i].originalText, expected.samples[i].originalText);
    }
    QCOMPARE(got.notices.size(), expected.notices.size());
    for (std::size_t i = 0; i < got.notices.size(); ++i)
        QCOMPARE(got.notices[i].text, expected.notices[i].text);
}

} // namespace

class TestTraining : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aRunIsKeptWithAllItMeasured()
    {
        ScratchWorkspace workspace;
        TrainingStore &store = workspace->training();
        const RowId run = must(store.begin(someTraining()));
        VERIFY_OK(store.append(run, someMetrics(1, 60)));
        VERIFY_OK(store.finish(run, {TrainingStatus::Finished, {}, "aabb"}, someMetrics(61, 100)));
        VERIFY_OK(store.setNotes(run, "the first that reads well"));
        VERIFY_OK(store.rename(run, "Good one"));
        workspace.open();
        const auto runs = must(workspace->training().list());
        QCOMPARE(runs.size(), size_t(1));
        const TrainingRunRow &row = runs.front();
        QCOMPARE(row.folder, std::string("/runs/a"));
        QCOMPARE(row.name, std::string("Good one"));
        QCOMPARE(row.recipe, std::string(R"({"seed":7})"));
        QCOMPARE(row.totalSteps, std::int64_t(100));
        QCOMPARE(row.build, std::string("0.1.0"));
        QCOMPARE(int(row.status), int(TrainingStatus::Finished));
        QCOMPARE(row.notes, std::string("the first that reads well"));
        QCOMPARE(row.fingerprint, std::string("aabb"));
        QCOMPARE(row.lastStep, std::int64_t(100));
        QCOMPARE(row.perplexity, 9.0);
        QCOMPARE(row.originalPerplexity, 43.6);
        QVERIFY(row.started > 0 && row.finished >= row.started);
        compareMetrics(must(workspace->training().metrics(run)), someMetrics(1, 100));
        QCOMPARE(must(workspace->check()), std::vector<std::string>());
    }

    void aKilledProcessLeavesAnInterruptedRunThatCanGoOn()
    {
        ScratchWorkspace workspace;
        const RowId run = must(workspace->training().begin(someTraining()));
        VERIFY_OK(workspace->training().append(run, someMetrics(1, 60)));
        workspace.open();
        TrainingStore &store = workspace->training();
        QCOMPARE(int(must(store.get(run)).status), int(TrainingStatus::Interrupted));
        VERIFY_FAILS(store.append(run, someMetrics(61, 62)), ErrorCode::InvalidArgument);
        VERIFY_OK(store.resume(run));
        QCOMPARE(must(store.get(run)).finished, Milliseconds(0));
        VERIFY_FAILS(store.resume(run), ErrorCode::InvalidArgument);
        // From the checkpoint at step 40: what is measured twice is there once.
        VERIFY_OK(store.append(run, someMetrics(41, 100)));
        VERIFY_OK(store.finish(run, {}));
        compareMetrics(must(store.metrics(run)), someMetrics(1, 100));
    }

    void numbersThatAreNoneAreKept()
    {
        ScratchWorkspace workspace;
        TrainingStore &store = workspace->training();
        const RowId run = must(store.begin(someTraining()));
        const double infinity = std::numeric_limits<double>::infinity();
        TrainingMetrics metrics;
        metrics.steps.push_back({1, 0, std::nan(""), infinity, 0, 0, 0, 0, true});
        metrics.layers.push_back({1, 2, 3, {1, 2}, {}, {}});
        VERIFY_OK(store.append(run, metrics));
        const TrainingMetrics read = must(store.metrics(run));
        QVERIFY(std::isnan(read.steps[0].loss));
        QCOMPARE(read.steps[0].gradientNorm, infinity);
        QCOMPARE(read.layers[0].largestActivation, (std::vector<float>{1, 2}));
        QCOMPARE(read.layers[0].headFidelity.size(), size_t(6));
        QVERIFY(std::isnan(read.layers[0].headFidelity[5]));
    }

    void whatMakesNoSenseIsRefused()
    {
        ScratchWorkspace workspace;
        TrainingStore &store = workspace->training();
        VERIFY_FAILS(store.get(1), ErrorCode::NotFound);
        VERIFY_FAILS(store.metrics(1), ErrorCode::NotFound);
        VERIFY_FAILS(store.setNotes(1, "x"), ErrorCode::NotFound);
        VERIFY_FAILS(store.remove(1), ErrorCode::NotFound);
        const RowId run = must(store.begin(someTraining()));
        VERIFY_FAILS(store.remove(run), ErrorCode::InvalidArgument);
        VERIFY_FAILS(store.finish(run, {TrainingStatus::Running, {}, {}}), ErrorCode::InvalidArgument);
        TrainingMetrics wrong = someMetrics(1, 3);
        wrong.layers.push_back({3, 2, 3, {1}, {}, {}});
        VERIFY_FAILS(store.append(run, wrong), ErrorCode::InvalidArgument);
        QVERIFY(must(store.metrics(run)).empty());
        VERIFY_OK(store.finish(run, {TrainingStatus::Failed, "the loss is not finite", {}}));
        QCOMPARE(must(store.get(run)).message, std::string("the loss is not finite"));
        VERIFY_OK(store.remove(run));
        QVERIFY(must(store.list()).empty());
    }

    void aHundredThousandStepsLoadFast()
    {
        ScratchWorkspace workspace;
        TrainingStore &store = workspace->training();
        const RowId run = must(store.begin(someTraining()));
        TrainingMetrics metrics;
        for (std::int64_t step = 1; step <= 100000; ++step)
            metrics.steps.push_back(someStep(step));
        VERIFY_OK(store.append(run, metrics));
        QElapsedTimer timer;
        timer.start();
        QCOMPARE(must(store.metrics(run)).steps.size(), size_t(100000));
        qInfo("read in %lld ms", static_cast<long long>(timer.elapsed()));
        QVERIFY(timer.elapsed() < 2000);
    }

    /// tests/data/store/v2.db.zst, as written by the release that introduced that version.
    void theSecondVersionIsRead()
    {
        QFile packed(SUPRALENS_TEST_DATA "/store/v2.db.zst");
        QVERIFY(packed.open(QIODevice::ReadOnly));
        const QByteArray bytes = packed.readAll();
        QByteArray plain(qsizetype(ZSTD_getFrameContentSize(bytes.constData(), size_t(bytes.size()))), '\0');
        ZSTD_decompress(plain.data(), size_t(plain.size()), bytes.constData(), size_t(bytes.size()));
        const QTemporaryDir folder;
        QFile file(folder.filePath("v2.db"));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(plain) == plain.size());
        file.close();
        const auto workspace = must(Workspace::open(file.fileName().toStdString()));
        const auto runs = must(workspace->training().list());
        QCOMPARE(runs.size(), size_t(1));
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Finished));
        compareMetrics(must(workspace->training().metrics(runs[0].id)), someMetrics(1, 100));
        QCOMPARE(must(workspace->check()), std::vector<std::string>());
    }
};

QTEST_GUILESS_MAIN(TestTraining)
#include "tst_training.moc"
