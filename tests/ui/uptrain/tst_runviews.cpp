// Curves and maps of a run, however long or damaged.
#include "desk.h"
#include "plot/heatmapplot.h"
#include "plot/linechart.h"
#include "uptrain/fidelityview.h"

#include <QSlider>

using namespace lens;
using namespace lens::test;

class RunViewsTest : public TrainingPageTest {
    Q_OBJECT

private Q_SLOTS:
    void curvesHaveGapsAndTheOriginal()
    {
        RunCurves curves;
        curves.resize(700, 600);
        curves.show();
        auto metrics = std::make_shared<TrainingMetrics>();
        for (std::int64_t step = 1; step <= 50; ++step)
            metrics->steps.push_back(fakeStep(fakeRecipe(), step));
        metrics->steps[20].loss = NAN;
        metrics->evaluations = {fakeEvaluation(0), fakeEvaluation(50)};
        curves.setRuns({{QStringLiteral("one"), 0.5, metrics}});
        const PlotTable perplexity = curves.chart(RunCurves::Perplexity).table();
        QCOMPARE(perplexity.rows, qsizetype(4));
        QCOMPARE(perplexity.row(3), QVariantList({QStringLiteral("softmax original"), 50.0, 8.1}));
        const PlotTable loss = curves.chart(RunCurves::Loss).table();
        QVERIFY(std::isnan(loss.row(20)[2].toDouble()));
        QVERIFY(std::isfinite(loss.row(21)[2].toDouble()));
        QTest::qWait(100);
        QVERIFY(curves.chart(RunCurves::Loss).save(m_folder->filePath(QStringLiteral("gap.svg"))));
    }

    void aHundredThousandStepsAreDrawnInTime()
    {
        RunCurves curves;
        curves.resize(700, 600);
        curves.show();
        auto metrics = std::make_shared<TrainingMetrics>();
        for (std::int64_t step = 1; step <= 100000; ++step)
            metrics->steps.push_back(fakeStep(fakeRecipe(), step));
        QTest::qWait(50);
        QElapsedTimer timer;
        timer.start();
        curves.setRuns({{QStringLiteral("long"), 0.5, metrics}});
        curves.grab();
        const qint64 elapsed = timer.elapsed();
        qInfo("set and drawn in %lld ms", static_cast<long long>(elapsed));
        QVERIFY(elapsed < 2000);
    }

    void fidelityFollowsUntilTheSliderIsMoved()
    {
        FidelityView view;
        view.resize(400, 600);
        view.show();
        QVERIFY(view.findChild<HeatMapPlot *>()->isEmpty());
        auto metrics = std::make_shared<TrainingMetrics>();
        for (std::int64_t step = 0; step <= 100; step += 10)
            metrics->layers.push_back(fakeLayers(step));
        view.setMetrics(metrics);
        QCOMPARE(view.shownStep(), std::int64_t(100));
        metrics->layers.push_back(fakeLayers(110));
        view.setMetrics(metrics);
        QCOMPARE(view.shownStep(), std::int64_t(110));
        view.findChild<QSlider *>()->setValue(3);
        QCOMPARE(view.shownStep(), std::int64_t(30));
        metrics->layers.push_back(fakeLayers(120));
        view.setMetrics(metrics);
        QCOMPARE(view.shownStep(), std::int64_t(30));
        QCOMPARE(view.findChild<HeatMapPlot *>()->table().rows, qsizetype(36));
        auto wrong = std::make_shared<TrainingMetrics>();
        wrong->layers = {{10, std::int64_t(1) << 60, 4, {1, 2}, {}, {}}};
        view.setMetrics(wrong);
        QCOMPARE(view.findChild<LineChart *>()->table().rows, qsizetype(2));
    }
};

QTEST_MAIN(RunViewsTest)
#include "tst_runviews.moc"
