// The controller of a training run, with a trainer that has no weights.
#include "bridge/trainingcontroller.h"
#include "ui/support/faketraining.h"

#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>

#include <cmath>

using namespace lens;

namespace {

constexpr int Patience = 10000;

/// A controller with a workspace of its own.
struct Bench {
    Bench() : store(std::make_unique<StoreThread>())
    {
        store->open(folder.filePath("w.supralens"));
        controller = std::make_unique<TrainingController>(engine, *store);
    }
    ~Bench() { controller.reset(); }

    bool waitUntilIdle() const
    {
        return QTest::qWaitFor([this] { return !controller->isRunning(); }, Patience);
    }

    template <class T>
    T read(std::function<Result<T>(Workspace &)> work) const
    {
        std::optional<T> value;
        store->run<T>(std::move(work), [&](Result<T> result) {
            if (result)
                value = std::move(*result);
        });
        if (!QTest::qWaitFor([&] { return value.has_value(); }, Patience))
            throw std::runtime_error("the workspace does not answer");
        return std::move(*value);
    }
    std::vector<TrainingRunRow> runs() const
    {
        return read<std::vector<TrainingRunRow>>([](Workspace &workspace) { return workspace.training().list(); });
    }
    TrainingMetrics stored(RowId run) const
    {
        return read<TrainingMetrics>([run](Workspace &workspace) { return workspace.training().metrics(run); });
    }

    QTemporaryDir folder;
    FakeTraining engine;
    std::unique_ptr<StoreThread> store;
    std::unique_ptr<TrainingController> controller;
};

} // namespace

class TestTrainingController : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aRunIsMeasuredAndRecorded()
    {
        Bench bench;
        QSignalSpy measured(bench.controller.get(), &TrainingController::measured);
        QSignalSpy finished(bench.controller.get(), &TrainingController::finished);
        QVERIFY(bench.controller->start(fakeRecipe(), "SUPRA of tiny"));
        QVERIFY(bench.controller->isRunning());
        const auto second = bench.controller->start(fakeRecipe(), "another");
        QVERIFY(!second && second.error().code == ErrorCode::Busy);
        QVERIFY(bench.waitUntilIdle());
        QCOMPARE(finished.count(), 1);
        QVERIFY(bench.controller->outcome()->finished);
        QVERIFY2(measured.count() < 60, "measurements are gathered, not passed on one by one");
        const TrainingMetrics &metrics = bench.controller->metrics();
        QCOMPARE(metrics.steps.size(), size_t(120));
        QCOMPARE(metrics.evaluations.size(), size_t(13));
        const auto runs = bench.runs();
        QCOMPARE(runs.size(), size_t(1));
        QCOMPARE(runs[0].name, std::string("SUPRA of tiny"));
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Finished));
        QCOMPARE(runs[0].totalSteps, std::int64_t(120));
        QVERIFY(!runs[0].fingerprint.empty());
        const auto recipe = recipeOf(runs[0]);
        QVERIFY(recipe && *recipe == fakeRecipe());
        const TrainingMetrics stored = bench.stored(runs[0].id);
        QCOMPARE(stored.steps.size(), size_t(120));
        QCOMPARE(stored.layers.size(), size_t(13));
        QCOMPARE(stored.samples.size(), size_t(13));
    }

    void pauseHoldsAndStopKeeps()
    {
        Bench bench;
        bench.engine.pause = std::chrono::milliseconds(5);
        QVERIFY(bench.controller->start(fakeRecipe(), "a"));
        QTRY_COMPARE_WITH_TIMEOUT(int(bench.controller->state()), int(TrainingController::State::Training), Patience);
        bench.controller->pause();
        QTest::qWait(250);
        const std::size_t held = bench.controller->metrics().steps.size();
        QTest::qWait(300);
        QCOMPARE(bench.controller->metrics().steps.size(), held);
        QSignalSpy exported(bench.controller.get(), &TrainingController::exported);
        bench.controller->exportNow();
        bench.controller->resume();
        QTRY_COMPARE_WITH_TIMEOUT(exported.count(), 1, Patience);
        QCOMPARE(exported[0][0].toString(), QStringLiteral("/runs/tiny-supra/now"));
        QCOMPARE(exported[0][1].toString(), QStringLiteral("/models/tiny.gguf"));
        bench.controller->stopAndKeep();
        QVERIFY(bench.waitUntilIdle());
        QVERIFY(!bench.controller->outcome()->finished);
        QCOMPARE(int(bench.runs()[0].status), int(TrainingStatus::Stopped));
    }

    void aFailureIsKeptWithItsReason()
    {
        Bench bench;
        bench.engine.failsAt = 20;
        QSignalSpy failed(bench.controller.get(), &TrainingController::failed);
        QVERIFY(bench.controller->start(fakeRecipe(), "diverges"));
        QVERIFY(bench.waitUntilIdle());
        QCOMPARE(failed.count(), 1);
        const auto runs = bench.runs();
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Failed));
        QVERIFY(runs[0].message.find("not finite") != std::string::npos);
        const TrainingMetrics stored = bench.stored(runs[0].id);
        QCOMPARE(stored.notices.size(), size_t(4));
        QVERIFY(std::isnan(stored.steps.back().loss) && stored.steps.back().skipped);
    }

    void aRunThatWasCutOffGoesOn()
    {
        Bench bench;
        bench.engine.pause = std::chrono::milliseconds(5);
        QVERIFY(bench.controller->start(fakeRecipe(), "long"));
        QTRY_VERIFY_WITH_TIMEOUT(bench.controller->metrics().steps.size() > 25, Patience);
        bench.controller = std::make_unique<TrainingController>(bench.engine, *bench.store);
        auto runs = bench.runs();
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Running));
        bench.store = nullptr;
        bench.controller.reset();
        bench.store = std::make_unique<StoreThread>();
        bench.store->open(bench.folder.filePath("w.supralens"));
        bench.controller = std::make_unique<TrainingController>(bench.engine, *bench.store);
        runs = bench.runs();
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Interrupted));
        bench.engine.pause = std::chrono::milliseconds(1);
        bench.engine.resumesFrom = 20;
        QVERIFY(bench.controller->goOn(runs[0]));
        QVERIFY(bench.waitUntilIdle());
        runs = bench.runs();
        QCOMPARE(runs.size(), size_t(1));
        QCOMPARE(int(runs[0].status), int(TrainingStatus::Finished));
        const TrainingMetrics stored = bench.stored(runs[0].id);
        QCOMPARE(stored.steps.size(), size_t(120));
        for (std::size_t i = 0; i < stored.steps.size(); ++i)
            QCOMPARE(stored.steps[i].loss, fakeStep(fakeRecipe(), std::int64_t(i) + 1).loss);
        QCOMPARE(bench.controller->metrics().steps.size(), size_t(120));
    }

    void whatIsAskedForBeforeItGoesOnIsHeeded()
    {
        Bench bench;
        QVERIFY(bench.controller->start(fakeRecipe(), "a"));
        QTRY_VERIFY_WITH_TIMEOUT(!bench.controller->metrics().steps.empty(), Patience);
        bench.controller->stopAndKeep();
        QVERIFY(bench.waitUntilIdle());
        const TrainingRunRow run = bench.runs()[0];
        bench.engine.resumesFrom = 20;
        QVERIFY(bench.controller->goOn(run));
        bench.controller->pause();
        QTest::qWait(250);
        QCOMPARE(int(bench.controller->state()), int(TrainingController::State::Paused));
        bench.controller->stopAndKeep();
        QVERIFY(bench.waitUntilIdle());
        QVERIFY(bench.controller->outcome() && bench.controller->outcome()->step < 22);

        QVERIFY(bench.controller->goOn(run));
        bench.controller->stopAndKeep();
        QCOMPARE(int(bench.controller->state()), int(TrainingController::State::Stopping));
        QVERIFY(bench.waitUntilIdle());
        QCOMPARE(bench.controller->outcome()->step, std::int64_t(20));

        QSignalSpy failed(bench.controller.get(), &TrainingController::failed);
        QVERIFY(bench.controller->goOn(run));
        bench.controller->cancel();
        QCOMPARE(int(bench.controller->state()), int(TrainingController::State::Stopping));
        QVERIFY(bench.waitUntilIdle());
        QCOMPARE(failed.count(), 1);
        QCOMPARE(int(failed[0][0].value<Error>().code), int(ErrorCode::Cancelled));
        QVERIFY(!bench.controller->outcome());
    }

    void nonsenseIsRefusedAtOnce()
    {
        Bench bench;
        Recipe recipe = fakeRecipe();
        recipe.stages.clear();
        QVERIFY(!bench.controller->start(recipe, "none"));
        QVERIFY(!bench.controller->isRunning());
        QVERIFY(bench.runs().empty());
    }

    void aWorkspaceThatIsOnlyReadBeginsNoRun()
    {
        Bench bench;
        bench.store->wait();
        StoreThread reading;
        FakeTraining engine;
        TrainingController controller(engine, reading);
        QSignalSpy changed(&controller, &TrainingController::stateChanged);
        reading.open(bench.folder.filePath("w.supralens"));
        QTRY_COMPARE(changed.size(), 1);
        QVERIFY(!controller.canRecord());
        const auto started = controller.start(fakeRecipe(), "a");
        QVERIFY(!started && started.error().code == ErrorCode::Busy);
        QVERIFY(!controller.isRunning());
        bench.controller.reset();
        bench.store.reset();
        reading.openAgain();
        QTRY_VERIFY(controller.canRecord());
        QVERIFY(controller.start(fakeRecipe(), "a"));
        QTRY_VERIFY_WITH_TIMEOUT(!controller.isRunning(), Patience);
    }

    void onlyTheNewestEstimateArrives()
    {
        Bench bench;
        int answers = 0;
        for (int i = 0; i < 5; ++i)
            bench.controller->estimate(fakeRecipe(), [&](const Result<TrainingEstimate> &estimate) {
                ++answers;
                QVERIFY(estimate && estimate->parameters == 2900000);
            });
        QTRY_VERIFY_WITH_TIMEOUT(answers > 0, Patience);
        QTest::qWait(100);
        QCOMPARE(answers, 1);
    }

    void numbersOfARun()
    {
        QVERIFY(secondsLeft({}, 10) < 0);
        std::vector<StepMetrics> steps;
        for (std::int64_t step = 1; step <= 20; ++step)
            steps.push_back(fakeStep(fakeRecipe(), step));
        QVERIFY(std::abs(secondsLeft(steps, 120) - 40) < 1e-9);
        const std::vector<double> values{4, NAN, 4, 4};
        const std::vector<double> smooth = smoothed(values, 0.9);
        QVERIFY(std::isnan(smooth[1]));
        QVERIFY(std::abs(smooth[0] - 4) < 1e-12 && std::abs(smooth[3] - 4) < 1e-12);
        Recipe scratch = fakeRecipe();
        scratch.model.clear();
        QCOMPARE(originalOf(scratch), QString());
    }
};

QTEST_GUILESS_MAIN(TestTrainingController)
#include "tst_trainingcontroller.moc"
