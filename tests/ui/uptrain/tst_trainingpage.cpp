// A person's way through the training page, with a trainer that has no weights.
#include "bridge/theme.h"
#include "plot/heatmapplot.h"
#include "plot/linechart.h"
#include "ui/support/fakeengine.h"
#include "ui/support/faketraining.h"
#include "uptrain/datafiles.h"
#include "uptrain/fidelityview.h"
#include "uptrain/preflightcard.h"
#include "uptrain/runform.h"
#include "uptrain/runheader.h"
#include "uptrain/runview.h"
#include "uptrain/samplesview.h"
#include "uptrain/stagetable.h"
#include "uptrain/trainingpage.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QStyleFactory>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTimer>
#include <QtTest>

using namespace lens;

namespace {

constexpr int Patience = 10000;
const QSize pageSize(1208, 742); ///< what a window of 1280 x 800 leaves it

/// The page in a window, with everything it needs.
struct Desk {
    explicit Desk(const QString &folder) : store(std::make_unique<StoreThread>()), library(models)
    {
        store->open(folder + QStringLiteral("/w.supralens"));
        training.leavesFiles = true;
        controller = std::make_unique<TrainingController>(training, *store);
        library.add(QStringLiteral("/models/tiny.gguf"));
        page = std::make_unique<TrainingPage>(library, *controller, *store);
        page->resize(pageSize);
        page->show();
        text = folder + QStringLiteral("/stories.txt");
        QFile file(text);
        static_cast<void>(file.open(QIODevice::WriteOnly));
        file.write("Once upon a time there was a fox.\n");
    }
    ~Desk()
    {
        page.reset();
        controller.reset();
    }

    QPushButton *button(const QString &label) const
    {
        for (QPushButton *button : page->findChildren<QPushButton *>()) {
            if (button->text() == label && button->isVisible())
                return button;
        }
        return nullptr;
    }
    void click(const QString &label) const
    {
        QPushButton *found = button(label);
        QVERIFY2(found && found->isEnabled(), qPrintable(label));
        QTest::mouseClick(found, Qt::LeftButton);
    }
    QLabel *label(const QString &part) const
    {
        for (QLabel *label : page->findChildren<QLabel *>()) {
            if (label->isVisible() && label->text().contains(part))
                return label;
        }
        return nullptr;
    }
    bool isReady() const
    {
        return QTest::qWaitFor([this] { return page->form().recipe().model.size() > 0; }, Patience);
    }
    int newestStatus() const
    {
        const auto &runs = page->runs().runs();
        return runs.empty() ? -1 : int(runs.front().status);
    }
    /// Through the form, until the run has ended.
    void runThrough(const QString &name)
    {
        page->newRun();
        page->form().addFiles({text});
        for (QLineEdit *line : page->form().findChildren<QLineEdit *>()) {
            if (line->accessibleName() == QStringLiteral("Name of the run")) {
                line->selectAll();
                QTest::keyClicks(line, name);
            }
        }
        const auto before = page->runs().rowCount();
        click(QStringLiteral("Start training"));
        QVERIFY(QTest::qWaitFor([this] { return !controller->isRunning(); }, Patience));
        QTRY_COMPARE_WITH_TIMEOUT(page->runs().rowCount(), before + 1, Patience);
        QTRY_COMPARE_WITH_TIMEOUT(newestStatus(), int(TrainingStatus::Finished), Patience);
        QVERIFY(!page->view().isLive());
    }
    void picture(const QString &name) const
    {
        QVERIFY(page->grab().save(QStringLiteral("%1/training-%2.png").arg(QStringLiteral(SUPRALENS_TEST_OUTPUT), name)));
    }

    FakeEngine models;
    FakeTraining training;
    std::unique_ptr<StoreThread> store;
    ModelLibrary library;
    std::unique_ptr<TrainingController> controller;
    std::unique_ptr<TrainingPage> page;
    QString text;
};

void useTheme(const QString &theme)
{
    const QPalette palette = theme == QStringLiteral("dark") ? darkPalette() : lightPalette();
    QApplication::setPalette(palette);
    qApp->setStyleSheet(styleSheet(palette));
}

/// Every visible child lies inside its parent and has the room that its text needs.
void verifyNothingIsCut(const QWidget &page)
{
    for (const QPushButton *button : page.findChildren<QPushButton *>()) {
        if (button->isVisible())
            QVERIFY2(button->width() >= button->minimumSizeHint().width(), qPrintable(button->text()));
    }
    for (const QWidget *child : page.findChildren<QWidget *>()) {
        if (!child->isVisible() || !child->parentWidget() || qobject_cast<QScrollArea *>(child->parentWidget()->parentWidget()))
            continue;
        if (qobject_cast<const QPushButton *>(child) || qobject_cast<const QComboBox *>(child))
            QVERIFY2(child->parentWidget()->rect().contains(child->geometry()), child->metaObject()->className());
    }
}

} // namespace

class TestTrainingPage : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
        useTheme(QStringLiteral("light"));
    }

    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        qputenv("XDG_DATA_HOME", m_folder->filePath(QStringLiteral("data")).toUtf8());
    }

    void startWaitsForWhatIsMissing()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        PreflightCard &card = desk.page->form().preflight();
        QVERIFY(!card.canStart());
        QVERIFY2(card.reason().contains(QStringLiteral("text")), qPrintable(card.reason()));
        QCOMPARE(desk.training.estimates.load(), 0);
        desk.page->form().addFiles({desk.text});
        QTRY_COMPARE_WITH_TIMEOUT(card.reason(), QString(), Patience);
        QVERIFY(card.canStart());
        QVERIFY(desk.label(QStringLiteral("412 MB of 6.1 GB free")));
        QVERIFY(desk.label(QStringLiteral("about 12 min")));
    }

    void manyChangesAreEstimatedOnce()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        QSpinBox *batch = nullptr;
        for (QSpinBox *box : desk.page->form().findChildren<QSpinBox *>()) {
            if (box->accessibleName() == QStringLiteral("Sequences a step"))
                batch = box;
        }
        for (int i = 1; i <= 20; ++i)
            batch->setValue(i);
        QTest::qWait(900);
        QCOMPARE(desk.training.estimates.load(), 1);
    }

    void theEstimateWarnsAndRefuses()
    {
        Desk desk(m_folder->path());
        desk.training.answer.warnings = {"the run needs 9.1 GiB, 7.8 GiB are free"};
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        QTRY_VERIFY_WITH_TIMEOUT(desk.label(QStringLiteral("9.1 GiB, 7.8 GiB are free")), Patience);
        QVERIFY(desk.page->form().preflight().canStart());
        desk.training.refusal = fail(ErrorCode::NotFound, "there is no such file", "/texts/gone.txt", "choose another");
        desk.page->form().addFiles({QStringLiteral("/texts/gone.txt")});
        QTRY_VERIFY_WITH_TIMEOUT(desk.page->form().preflight().reason().contains(QStringLiteral("no such file")), Patience);
        QVERIFY(!desk.page->form().preflight().canStart());
    }

    void theFormSaysWhatItShows()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        RunForm &form = desk.page->form();
        QCOMPARE(form.recipe().model, std::string("/models/tiny.gguf@supra"));
        QCOMPARE(form.runName(), QStringLiteral("tiny-supra"));
        QVERIFY(QString::fromStdString(form.recipe().out).endsWith(QStringLiteral("/runs/tiny-supra")));
        QVERIFY(desk.label(QStringLiteral("talks nonsense until it is uptrained")));
        Recipe other = fakeRecipe(m_folder->path().toStdString());
        other.model = "/models/tiny.gguf@supra:retnet:identity:seed=7:layers=0,2";
        other.seed = 7;
        other.learnDecay = true;
        other.optimiser.clip = 0.25;
        other.optimiser.weightDecay = 0.01;
        other.lora = {4, 4, {"q", "down"}};
        other.adapterStorage = "int8";
        other.stages[1].objective = Objective::Distillation;
        other.stages[1].cooldown = 12;
        other.stages[1].distillationWeight = 1.0 / 3;
        other.stages[1].temperature = 2;
        form.setRecipe(other);
        const Recipe shown = form.recipe();
        QCOMPARE(shown.stages, other.stages);
        QCOMPARE(shown.data.files, other.data.files);
        QCOMPARE(shown.sequenceLength, other.sequenceLength);
        QCOMPARE(shown.learnDecay, true);
        QVERIFY(shown.optimiser == other.optimiser);
        QVERIFY(shown.lora == other.lora);
        QCOMPARE(shown.adapterStorage, other.adapterStorage);
        QCOMPARE(shown.evaluateEvery, other.evaluateEvery);
        for (const char *part : {"supra", "retnet", "identity", "seed=7", "layers=0,2"})
            QVERIFY2(shown.model.find(part) != std::string::npos, shown.model.c_str());
        form.findChild<StageTable *>()->setStages(stagePresets()[1].stages);
        QCOMPARE(form.recipe().stages.size(), size_t(2));
        QCOMPARE(int(form.recipe().stages[1].trainable), int(Trainable::Adapter));
    }

    void anotherRunsModelIsNotReplacedInSilence()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        RunForm &form = desk.page->form();
        Recipe other = fakeRecipe(m_folder->path().toStdString());
        other.model = "/models/second.gguf@supra:seed=1";
        other.seed = 2;
        other.optimiser.weightDecay = 0.01;
        form.setRecipe(other);
        QCOMPARE(form.recipe().model, std::string());
        QVERIFY2(form.preflight().reason().contains(QStringLiteral("looked into")), qPrintable(form.preflight().reason()));
        QVERIFY(!form.preflight().canStart());
        QTRY_COMPARE_WITH_TIMEOUT(form.recipe().model, other.model, Patience);
        QCOMPARE(form.recipe().seed, std::uint64_t(2));
        other.model = "/models/supra.gguf@supra";
        form.setRecipe(other);
        QTRY_VERIFY_WITH_TIMEOUT(form.preflight().reason().contains(QStringLiteral("choose another")), Patience);
        QCOMPARE(form.recipe().model, std::string());
        for (QComboBox *combo : form.findChildren<QComboBox *>()) {
            if (combo->accessibleName() == QStringLiteral("Model to convert"))
                combo->setCurrentIndex(0);
        }
        QVERIFY(form.recipe().model.starts_with("/models/tiny.gguf@supra"));
        QCOMPARE(form.recipe().optimiser.weightDecay, 0.01);
        desk.page->newRun();
        QCOMPARE(form.recipe().optimiser.weightDecay, OptimiserOptions().weightDecay);
    }

    void samplesAreThoseOfTheRunOnShow()
    {
        const auto run = [](const char *text) {
            auto metrics = std::make_shared<TrainingMetrics>();
            metrics->samples.push_back({50, "Once", text, {}});
            return metrics;
        };
        const auto first = run(" upon a fox"), second = run(" upon a hen");
        SamplesView view;
        view.setMetrics(first);
        view.setMetrics(second);
        QVERIFY(view.toPlainText().contains(QStringLiteral("hen")));
        view.setMetrics(first);
        QVERIFY(view.toPlainText().contains(QStringLiteral("fox")));
    }

    void stagesAreWritten()
    {
        StageTable table;
        table.show();
        const auto line = [&table](const QString &name) {
            for (QWidget *field : table.findChildren<QWidget *>()) {
                if (field->accessibleName() == name && field->isVisible())
                    return field;
            }
            return static_cast<QWidget *>(nullptr);
        };
        const auto write = [&line](const QString &name, const QString &text) {
            auto *spin = qobject_cast<QSpinBox *>(line(name));
            if (spin)
                spin->setValue(text.toInt());
            else
                qobject_cast<QLineEdit *>(line(name))->setText(text);
        };
        write(QStringLiteral("Steps of stage 1"), QStringLiteral("1000"));
        QCOMPARE(table.stages()[0].warmup, std::int64_t(50));
        write(QStringLiteral("Warm-up steps of stage 1"), QStringLiteral("7"));
        write(QStringLiteral("Steps of stage 1"), QStringLiteral("2000"));
        QCOMPARE(table.stages()[0].warmup, std::int64_t(7));
        write(QStringLiteral("Cool-down steps of stage 1"), QStringLiteral("100"));
        write(QStringLiteral("Learning rate of stage 1"), QStringLiteral("3e-3"));
        QVERIFY(std::abs(table.stages()[0].finalLearningRate - 1e-4) < 1e-12);
        write(QStringLiteral("Final learning rate of stage 1"), QStringLiteral("0"));
        write(QStringLiteral("Learning rate of stage 1"), QStringLiteral("1e-3"));
        QCOMPARE(table.stages()[0].finalLearningRate, 0.0);
        QVERIFY(!line(QStringLiteral("Temperature of distillation in stage 1")));
        auto *objective = qobject_cast<QComboBox *>(line(QStringLiteral("Objective of stage 1")));
        objective->setCurrentIndex(int(Objective::Distillation));
        write(QStringLiteral("Temperature of distillation in stage 1"), QStringLiteral("2"));
        write(QStringLiteral("Share of distillation in the loss of stage 1"), QStringLiteral("0.5"));
        const TrainingStage expected{Objective::Distillation, Trainable::All, 2000, 1e-3, 0, 7, 100, 0.5, 2};
        QCOMPARE(table.stages(), std::vector<TrainingStage>{expected});
        objective->setCurrentIndex(int(Objective::AttentionTransfer));
        QCOMPARE(int(table.stages()[0].trainable), int(Trainable::FeatureMaps));
        QVERIFY(!line(QStringLiteral("What stage 1 trains"))->isEnabled());
    }

    void watchesPausesComparesAndStops()
    {
        Desk desk(m_folder->path());
        desk.training.pause = std::chrono::milliseconds(15);
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        QTRY_VERIFY_WITH_TIMEOUT(desk.page->form().preflight().canStart(), Patience);
        desk.click(QStringLiteral("Start training"));
        QTRY_VERIFY_WITH_TIMEOUT(!desk.page->view().curves().chart(RunCurves::Loss).isEmpty(), Patience);
        QTRY_COMPARE_WITH_TIMEOUT(desk.page->runs().rowCount(), 1, Patience);
        QVERIFY(desk.page->view().isLive());
        desk.click(QStringLiteral("Pause"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.button(QStringLiteral("Resume")), Patience);
        QSignalSpy compared(desk.page.get(), &TrainingPage::compareRequested);
        desk.click(QStringLiteral("Compare now"));
        QTRY_COMPARE_WITH_TIMEOUT(compared.count(), 1, Patience);
        QVERIFY(compared[0][0].toString().endsWith(QStringLiteral("/now")));
        QCOMPARE(compared[0][1].toString(), QStringLiteral("/models/tiny.gguf"));
        desk.click(QStringLiteral("Resume"));
        desk.training.failsToExport = true;
        desk.click(QStringLiteral("Compare now"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.label(QStringLiteral("there is no room left")), Patience);
        QVERIFY(desk.button(QStringLiteral("Compare now"))->isEnabled());
        desk.click(QStringLiteral("Stop and keep"));
        QTRY_VERIFY_WITH_TIMEOUT(!desk.controller->isRunning(), Patience);
        QTRY_COMPARE_WITH_TIMEOUT(desk.newestStatus(), int(TrainingStatus::Stopped), Patience);
        QTRY_VERIFY_WITH_TIMEOUT(desk.button(QStringLiteral("Go on")), Patience);
        QVERIFY(desk.button(QStringLiteral("Compare with original")));
        desk.click(QStringLiteral("Go on"));
        QTRY_COMPARE_WITH_TIMEOUT(desk.newestStatus(), int(TrainingStatus::Finished), Patience);
        QCOMPARE(desk.page->runs().rowCount(), 1);
    }

    void failuresAreShownWhereTheyHappen()
    {
        Desk desk(m_folder->path());
        desk.training.failsAt = 30;
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        desk.click(QStringLiteral("Start training"));
        QTRY_VERIFY_WITH_TIMEOUT(!desk.controller->isRunning(), Patience);
        QTRY_VERIFY_WITH_TIMEOUT(desk.label(QStringLiteral("lower the learning rate")), Patience);
        QTRY_COMPARE_WITH_TIMEOUT(desk.newestStatus(), int(TrainingStatus::Failed), Patience);
        QTest::qWait(200);
        desk.picture(QStringLiteral("failed"));
        desk.training.failsAt = 0;
        desk.training.resumesFrom = 20;
        desk.click(QStringLiteral("Go on"));
        QTRY_COMPARE_WITH_TIMEOUT(desk.newestStatus(), int(TrainingStatus::Finished), Patience);
        QVERIFY(!desk.button(QStringLiteral("Go on")));
        QVERIFY(QDir(QString::fromStdString(desk.page->runs().runs().front().folder)).removeRecursively());
        desk.page->newRun();
        desk.page->showRun(desk.page->runs().runs().front().id);
        QVERIFY(desk.label(QStringLiteral("folder is gone")));
        QVERIFY(!desk.button(QStringLiteral("Compare with original")));
    }

    void runsAreKeptOverlaidNotedAndExported()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        desk.runThrough(QStringLiteral("first"));
        desk.runThrough(QStringLiteral("second"));
        RunListModel &runs = desk.page->runs();
        QCOMPARE(runs.rowCount(), 2);
        QCOMPARE(runs.index(0).data().toString(), QStringLiteral("second"));
        LineChart &loss = desk.page->view().curves().chart(RunCurves::Loss);
        QTRY_COMPARE_WITH_TIMEOUT(loss.table().rows, qsizetype(800), Patience); // measured and smoothed
        QVERIFY(runs.setData(runs.index(1), Qt::Checked, Qt::CheckStateRole));
        QTRY_VERIFY_WITH_TIMEOUT(loss.table().row(799)[0].toString() == QStringLiteral("first"), Patience);
        for (const char *suffix : {"svg", "pdf", "csv", "png"}) {
            const QString file = m_folder->filePath(QStringLiteral("loss.%1").arg(QLatin1String(suffix)));
            QVERIFY(loss.save(file));
            QVERIFY(QFileInfo(file).size() > 500);
        }
        auto *notes = desk.page->findChild<QTabWidget *>()->widget(2)->findChild<QPlainTextEdit *>();
        desk.page->findChild<QTabWidget *>()->setCurrentIndex(2);
        QTest::keyClicks(notes, QStringLiteral("reads well"));
        desk.page->showRun(runs.runs()[1].id);
        QTRY_COMPARE_WITH_TIMEOUT(QString::fromStdString(runs.runs()[0].notes), QStringLiteral("reads well"), Patience);
        QCOMPARE(notes->toPlainText(), QString());
        desk.page->showRun(runs.runs()[0].id);
        QCOMPARE(notes->toPlainText(), QStringLiteral("reads well"));
        const auto answer = [](QMessageBox::ButtonRole role) {
            QTimer::singleShot(0, qApp, [role] {
                auto *box = qobject_cast<QMessageBox *>(QApplication::activeModalWidget());
                for (QAbstractButton *button : box ? box->buttons() : QList<QAbstractButton *>()) {
                    if (box->buttonRole(button) == role)
                        button->click();
                }
            });
        };
        answer(QMessageBox::RejectRole);
        desk.click(QStringLiteral("Remove"));
        QTest::qWait(100);
        QCOMPARE(runs.rowCount(), 2);
        answer(QMessageBox::DestructiveRole);
        desk.click(QStringLiteral("Remove"));
        QVERIFY(desk.page->form().isVisible());
        QTRY_COMPARE_WITH_TIMEOUT(runs.rowCount(), 1, Patience);
        QVERIFY(desk.page->form().isVisible());
        QCOMPARE(runs.index(0).data().toString(), QStringLiteral("first"));
    }

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

    void everythingCanBeReachedByKeyboard()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        desk.page->activateWindow();
        QSet<QWidget *> reached;
        QWidget *first = desk.page->findChild<QPushButton *>();
        first->setFocus();
        for (int i = 0; i < 200; ++i) {
            QWidget *focus = QApplication::focusWidget();
            if (!focus || reached.contains(focus))
                break;
            reached.insert(focus);
            QTest::keyClick(focus, Qt::Key_Tab);
        }
        int missed = 0;
        for (QWidget *widget : desk.page->findChildren<QWidget *>()) {
            const bool control = qobject_cast<QAbstractSpinBox *>(widget) || qobject_cast<QComboBox *>(widget) ||
                                 qobject_cast<QPushButton *>(widget);
            if (!control || !widget->isVisible() || !widget->isEnabled() || reached.contains(widget))
                continue;
            qWarning() << "not reached" << widget << widget->accessibleName();
            ++missed;
        }
        QCOMPARE(missed, 0);
        for (QWidget *widget : desk.page->findChildren<QWidget *>()) {
            if (qobject_cast<QAbstractSpinBox *>(widget) || qobject_cast<QComboBox *>(widget)) {
                const bool labelled = !widget->accessibleName().isEmpty() || widget->parent()->findChild<QLabel *>();
                QVERIFY2(labelled, widget->metaObject()->className());
            }
        }
    }

    void pictures_data()
    {
        QTest::addColumn<QString>("theme");
        QTest::newRow("light") << "light";
        QTest::newRow("dark") << "dark";
    }

    void pictures()
    {
        QFETCH(QString, theme);
        useTheme(theme);
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        desk.picture(theme + QStringLiteral("-empty"));
        desk.page->form().addFiles({desk.text});
        desk.training.answer.warnings = {"the texts hold 1.2 million tokens: the run sees them about three times"};
        QTRY_VERIFY_WITH_TIMEOUT(desk.label(QStringLiteral("412 MB")), Patience);
        desk.picture(theme + QStringLiteral("-form"));
        verifyNothingIsCut(*desk.page);
        auto *scroll = desk.page->form().findChild<QScrollArea *>();
        scroll->verticalScrollBar()->setValue(scroll->verticalScrollBar()->maximum());
        desk.picture(theme + QStringLiteral("-form-end"));
        desk.runThrough(QStringLiteral("tiny-supra"));
        desk.training.pause = std::chrono::milliseconds(20);
        desk.page->newRun();
        desk.click(QStringLiteral("Start training"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.controller->metrics().steps.size() > 60, Patience);
        QTest::qWait(300);
        desk.picture(theme + QStringLiteral("-running"));
        verifyNothingIsCut(*desk.page);
        desk.page->findChild<QTabWidget *>()->setCurrentIndex(1);
        QTest::qWait(100);
        desk.picture(theme + QStringLiteral("-samples"));
        desk.controller->stopAndKeep();
        QTRY_VERIFY_WITH_TIMEOUT(!desk.controller->isRunning(), Patience);
        QTRY_VERIFY_WITH_TIMEOUT(!desk.page->view().isLive(), Patience);
        RunListModel &runs = desk.page->runs();
        runs.setData(runs.index(1), Qt::Checked, Qt::CheckStateRole);
        desk.page->findChild<QTabWidget *>()->setCurrentIndex(0);
        QTest::qWait(300);
        desk.picture(theme + QStringLiteral("-overlay"));
        verifyNothingIsCut(*desk.page);
    }

private:
    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_MAIN(TestTrainingPage)
#include "tst_trainingpage.moc"
