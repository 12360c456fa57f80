// A person's way through the training page, with a trainer that has no weights.
#include "desk.h"
#include "plot/linechart.h"
#include "uptrain/preflightcard.h"
#include "uptrain/samplesview.h"

#include <QMessageBox>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTimer>

using namespace lens;
using namespace lens::test;

class TestTrainingPage : public TrainingPageTest {
    Q_OBJECT

private Q_SLOTS:
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
};

QTEST_MAIN(TestTrainingPage)
#include "tst_trainingpage.moc"
