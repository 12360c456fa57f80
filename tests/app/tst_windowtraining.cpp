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

#include <QDir>
#include <QPushButton>
#include <QRandomGenerator>
#include <QTemporaryDir>
#include <QTest>

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
        const QString model = makeModel(m_folder);
        const QString text = makeText(m_folder);
        QVERIFY(!model.isEmpty() && !text.isEmpty());
        const auto engine = makeEngine();
        const auto trainer = makeTrainingEngine();
        AppSettings settings(m_folder.filePath("settings.ini"));
        const ThemeSwitch theme(settings);
        MainWindow window(*engine, *trainer, settings, m_folder.filePath("workspace.supralens"));
        window.resize(1280, 800);
        window.show();
        window.openModels({model, model + QStringLiteral("@supra")});
        window.showPage(MainWindow::TrainPage);
        TrainingPage &page = window.training();
        QTRY_VERIFY_WITH_TIMEOUT(!page.form().recipe().model.empty(), Patience);
        page.newRun(window.chat().chosenModel(0));
        Recipe recipe = page.form().recipe();
        recipe.data.files = {text.toStdString()};
        recipe.stages.front().steps = 12;
        recipe.stages.front().warmup = 2;
        recipe.sequenceLength = 64;
        recipe.batch = 4;
        recipe.evaluateEvery = 4;
        recipe.sampleEvery = 6;
        page.form().setRecipe(recipe);
        QTRY_VERIFY_WITH_TIMEOUT(page.form().preflight().reason().isEmpty(), Patience);
        QVERIFY(window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/real-training-form.png")));
        click(page, QStringLiteral("Start training"));
        QTRY_VERIFY_WITH_TIMEOUT(page.runs().rowCount() == 1 &&
                                     page.runs().runs().front().status != TrainingStatus::Running,
                                 Patience);
        const TrainingRunRow run = page.runs().runs().front();
        QVERIFY2(run.status == TrainingStatus::Finished, run.message.c_str());
        QCOMPARE(run.lastStep, std::int64_t(12));
        QVERIFY(run.perplexity > 0 && run.originalPerplexity > 0 && !run.fingerprint.empty());
        QVERIFY(!page.view().curves().chart(RunCurves::Perplexity).isEmpty());
        QTest::qWait(200);
        QVERIFY(window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/real-training-finished.png")));
        click(page, QStringLiteral("Compare with original"));
        const auto isShown = [&window](int column) { return bool(window.chat().column(column).model()); };
        QTRY_VERIFY_WITH_TIMEOUT(isShown(0) && isShown(1), Patience);
        QCOMPARE(window.chat().column(1).model()->info().mixer, std::string("supra"));
        QCOMPARE(window.chat().column(0).model()->info().mixer, std::string("softmax"));
    }

private:
    static void click(const TrainingPage &page, const QString &label)
    {
        for (QPushButton *button : page.findChildren<QPushButton *>()) {
            if (button->text() == label && button->isVisible() && button->isEnabled()) {
                button->click();
                return;
            }
        }
        QFAIL(qPrintable(QStringLiteral("no button: ") + label));
    }

    QTemporaryDir m_folder;
};

QTEST_MAIN(TestWindowTraining)
#include "tst_windowtraining.moc"
