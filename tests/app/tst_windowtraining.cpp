// The training page with the real trainer and a tiny model: from the form to a model beside its original.
#include "tinymodel.h"

#include "appsettings.h"
#include "bridge/engineapi.h"
#include "mainwindow.h"
#include "plot/linechart.h"
#include "themeswitch.h"
#include "uptrain/preflightcard.h"
#include "uptrain/runform.h"
#include "uptrain/runview.h"
#include "uptrain/trainingpage.h"

#include <QApplication>
#include <QDir>
#include <QMessageBox>
#include <QPushButton>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

using namespace lens;

namespace {

constexpr int Patience = 60000;

QString makeText(const QTemporaryDir &folder)
{
    const QString path = folder.filePath("stories.txt");
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly))
        return {};
    for (int i = 0; i < 400; ++i)
        file.write(QStringLiteral("Once upon a time there was a fox number %1. The fox was happy and ran to the river to "
                                  "see the big red boat.\n<|endoftext|>\n")
                       .arg(i)
                       .toUtf8());
    return path;
}

} // namespace

class TestWindowTraining : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        qputenv("XDG_DATA_HOME", m_folder.filePath("data").toUtf8());
        qputenv("XDG_CACHE_HOME", m_folder.filePath("cache").toUtf8());
        qputenv("SUPRALENS_MODELS", m_folder.filePath("none").toUtf8());
    }

    void trainsATinyModel()
    {
        Run run(m_folder, 12);
        run.start();
        TrainingPage &page = run.page();
        QTRY_VERIFY_WITH_TIMEOUT(page.runs().rowCount() == 1 &&
                                     page.runs().runs().front().status != TrainingStatus::Running,
                                 Patience);
        const TrainingRunRow row = page.runs().runs().front();
        QVERIFY2(row.status == TrainingStatus::Finished, row.message.c_str());
        QCOMPARE(row.lastStep, std::int64_t(12));
        QVERIFY(row.perplexity > 0 && row.originalPerplexity > 0 && !row.fingerprint.empty());
        QVERIFY(!page.view().curves().chart(RunCurves::Perplexity).isEmpty());
        QTest::qWait(200);
        QVERIFY(run.window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/real-training-finished.png")));
        run.click(QStringLiteral("Compare with original"));
        ChatController &chat = run.window.chat();
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model() && chat.column(1).model(), Patience);
        QCOMPARE(chat.column(1).model()->info().mixer, std::string("supra"));
        QCOMPARE(chat.column(0).model()->info().mixer, std::string("softmax"));
    }

    void closingAsks_data()
    {
        QTest::addColumn<QString>("button");
        QTest::addColumn<bool>("leavesModel");
        QTest::newRow("stop and keep") << "Stop and keep" << true;
        QTest::newRow("go on later") << "Go on later" << false;
    }

    /// The question is answered three times: cancelled, the training goes on; then the window closes with the training; the
    /// next window goes on with it.
    void closingAsks()
    {
        QFETCH(QString, button);
        QFETCH(bool, leavesModel);
        QTemporaryDir folder;
        qputenv("XDG_DATA_HOME", folder.filePath("data").toUtf8());
        {
            Run run(folder, 100000);
            run.start();
            QTRY_VERIFY_WITH_TIMEOUT(run.page().runs().rowCount() == 1, Patience);
            answer(run.window, QStringLiteral("Cancel"));
            QVERIFY(run.window.isVisible() && run.window.isEnabled());
            const qsizetype before = run.shownSteps();
            QTRY_VERIFY_WITH_TIMEOUT(run.shownSteps() > before, Patience);
            answer(run.window, button);
            QTRY_VERIFY_WITH_TIMEOUT(!run.window.isVisible(), Patience);
        }
        Run again(folder, 0);
        TrainingPage &page = again.page();
        QTRY_COMPARE_WITH_TIMEOUT(page.runs().rowCount(), 1, Patience);
        const TrainingRunRow row = page.runs().runs().front();
        QCOMPARE(int(row.status), int(TrainingStatus::Stopped));
        QVERIFY(row.lastStep > 0);
        QCOMPARE(QFile::exists(QString::fromStdString(row.folder) + "/model.safetensors"), leavesModel);
        page.showRun(row.id);
        QTRY_VERIFY_WITH_TIMEOUT(again.shownSteps() > 0, Patience);
        const qsizetype before = again.shownSteps();
        again.click(QStringLiteral("Go on"));
        QTRY_VERIFY_WITH_TIMEOUT(again.shownSteps() > before, Patience);
        again.click(QStringLiteral("Cancel"));
        QTRY_COMPARE_WITH_TIMEOUT(int(page.runs().runs().front().status), int(TrainingStatus::Stopped), Patience);
        QVERIFY(page.runs().runs().front().lastStep > row.lastStep);
        again.window.close();
        QVERIFY(!again.window.isVisible());
    }

private:
    /// The window on the training page. With `steps`, a model and its form are ready to start.
    struct Run {
        Run(const QTemporaryDir &folder, int steps)
            : engine(makeEngine()), trainer(makeTrainingEngine()), settings(folder.filePath("settings.ini")), theme(settings),
              window(*engine, *trainer, settings, folder.filePath("workspace.supralens"))
        {
            window.resize(1280, 800);
            window.show();
            if (steps > 0)
                prepare(folder, steps);
            else
                window.openModels({});
            window.showPage(MainWindow::TrainPage);
        }

        void prepare(const QTemporaryDir &folder, int steps)
        {
            const QString model = makeModel(folder);
            window.openModels({model, model + QStringLiteral("@supra")});
            if (!QTest::qWaitFor([this] { return !page().form().recipe().model.empty(); }, Patience))
                qFatal("the model cannot be chosen");
            page().newRun(window.chat().chosenModel(0));
            Recipe recipe = page().form().recipe();
            recipe.data.files = {makeText(folder).toStdString()};
            recipe.stages.front().steps = steps;
            recipe.stages.front().warmup = 2;
            recipe.sequenceLength = 64;
            recipe.batch = 4;
            recipe.evaluateEvery = 4;
            recipe.sampleEvery = 6;
            page().form().setRecipe(recipe);
        }

        void start()
        {
            QTRY_VERIFY_WITH_TIMEOUT(page().form().preflight().reason().isEmpty(), Patience);
            QVERIFY(window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/real-training-form.png")));
            click(QStringLiteral("Start training"));
        }

        void click(const QString &label)
        {
            QPushButton *found = nullptr;
            const auto isThere = [&] {
                for (QPushButton *button : page().findChildren<QPushButton *>()) {
                    if (button->text() == label && button->isVisible() && button->isEnabled())
                        found = button;
                }
                return found != nullptr;
            };
            QVERIFY2(QTest::qWaitFor(isThere, Patience), qPrintable(QStringLiteral("no button: ") + label));
            found->click();
        }

        TrainingPage &page() { return window.training(); }
        qsizetype shownSteps() { return page().view().curves().chart(RunCurves::Loss).table().rows; }

        std::unique_ptr<Engine> engine;
        std::unique_ptr<TrainingEngine> trainer;
        AppSettings settings;
        ThemeSwitch theme;
        MainWindow window;
    };

    /// Closes the window and answers what it asks.
    static void answer(MainWindow &window, const QString &label)
    {
        bool asked = false;
        QTimer::singleShot(0, &window, [&] {
            auto *box = qobject_cast<QMessageBox *>(QApplication::activeModalWidget());
            QVERIFY(box);
            box->grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/closing-training.png"));
            for (QAbstractButton *button : box->buttons()) {
                if (button->text().remove(QLatin1Char('&')) == label) {
                    asked = true;
                    button->click();
                    return;
                }
            }
            box->reject();
        });
        window.close();
        QVERIFY2(asked, qPrintable(label));
    }

    QTemporaryDir m_folder;
};

QTEST_MAIN(TestWindowTraining)
#include "tst_windowtraining.moc"
