// Models on their way into the window, with an engine without weights: dropped, loading, wrong, trained.
#include "windowrun.h"

#include "compare/comparecolumn.h"
#include "uptrain/runform.h"
#include "uptrain/trainingpage.h"
#include "widgets/errorbanner.h"

#include <QDir>
#include <QPushButton>

using namespace lens;
using namespace lens::test;

class TestWindowLibrary : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { forgetEverything(m_folder); }

    void takesWhatIsDropped()
    {
        QTemporaryDir folder;
        const QString several = folder.filePath(QStringLiteral("several"));
        QVERIFY(QDir().mkpath(several));
        for (const char *name : {"one.gguf", "two.gguf", "notes.txt"}) {
            QFile file(QDir(several).filePath(QString::fromLatin1(name)));
            QVERIFY(file.open(QIODevice::WriteOnly));
        }
        Run run(folder, {});
        ChatController &chat = run.window.chat();
        const auto nameIn = [&](int column) { return run.window.library().entry(chat.chosenModel(column))->name; };
        run.window.showPage(MainWindow::ComparePage);
        run.drop({QDir(several).filePath(QStringLiteral("one.gguf")), QDir(several).filePath(QStringLiteral("two.gguf"))});
        QTRY_VERIFY(run.isReady());
        QCOMPARE(nameIn(0), QStringLiteral("one"));
        QCOMPARE(nameIn(1), QStringLiteral("two"));
        run.drop({QDir(several).filePath(QStringLiteral("two.gguf"))}, run.window.compare().columnWidget(0));
        QTRY_COMPARE(nameIn(0), QStringLiteral("two"));
        run.drop({several});
        QCOMPARE(run.window.library().entries().size(), std::size_t(2));
        QVERIFY(!run.window.compare().isVisible());
        run.engine.failsToLoad = QDir(several).filePath(QStringLiteral("notes.txt")).toStdString();
        run.window.showPage(MainWindow::ComparePage);
        run.drop({QDir(several).filePath(QStringLiteral("notes.txt"))}, run.window.compare().columnWidget(1));
        QTRY_VERIFY(chat.column(1).error());
        QVERIFY(chat.column(0).model());
    }

    void stopsALoad()
    {
        Run run(m_folder, {});
        run.engine.loading = std::chrono::seconds(3);
        run.window.openModels(pair);
        const quint64 original = run.window.chat().chosenModel(0), converted = run.window.chat().chosenModel(1);
        const auto stateOf = [&](quint64 entry) { return run.window.library().entry(entry)->state; };
        QTRY_VERIFY(stateOf(original) == ModelEntry::State::Loading);
        run.window.library().cancel(converted); // waits for the original, which goes on
        QVERIFY(stateOf(converted) == ModelEntry::State::Listed);
        QVERIFY(stateOf(original) == ModelEntry::State::Loading);
        run.window.library().cancel(original);
        QTRY_VERIFY(stateOf(original) == ModelEntry::State::Listed);
        QVERIFY(!run.window.chat().column(0).error());
        run.engine.loading = std::chrono::milliseconds(10);
        run.window.chat().chooseModel(0, original);
        QTRY_VERIFY(run.window.chat().column(0).model());
    }

    void countsSharedWeightsOnce()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        ModelLibrary &library = run.window.library();
        const quint64 original = run.window.chat().chosenModel(0), converted = run.window.chat().chosenModel(1);
        const quint64 both = std::max(library.entry(original)->info->weightBytes, library.entry(converted)->info->weightBytes);
        QCOMPARE(library.loadedBytes(), both);
        library.unload(original);
        QCOMPARE(library.loadedBytes(), both);
        library.unload(converted);
        QCOMPARE(library.loadedBytes(), quint64(0));
    }

    void saysWhatIsWrongWithAModel()
    {
        Run run(m_folder, {});
        run.engine.failsToLoad = "/models/broken.gguf";
        run.window.chat().chooseModel(0, run.window.library().add(QStringLiteral("/models/broken.gguf")));
        QTRY_VERIFY(run.window.chat().column(0).error());
        QVERIFY(run.window.chat().column(0).error()->code == ErrorCode::Truncated);
        bool shown = false;
        for (const ErrorBanner *banner : run.window.compare().columnWidget(0)->findChildren<ErrorBanner *>())
            shown = shown || (banner->isVisibleTo(run.window.compare().columnWidget(0)) &&
                              banner->plainText().contains(QStringLiteral("byte 7")));
        QVERIFY(shown);
    }

    /// Ctrl+5, a text, Start, Compare now: the half-trained model stands beside its original.
    void trainsAndComparesWhatItHasSoFar()
    {
        Run run(m_folder);
        run.training.pause = std::chrono::milliseconds(10);
        QTRY_VERIFY(run.isReady());
        const QString text = m_folder.filePath(QStringLiteral("stories.txt"));
        QFile file(text);
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("Once upon a time.\n") > 0);
        file.close();
        QTest::keyClick(&run.window, Qt::Key_5, Qt::ControlModifier);
        TrainingPage &page = run.window.training();
        QTRY_VERIFY(page.isVisible());
        page.newRun(run.window.chat().chosenModel(0));
        page.form().addFiles({text});
        const auto button = [&page](const QString &label) {
            for (QPushButton *found : page.findChildren<QPushButton *>()) {
                if (found->text() == label && found->isVisible())
                    return found;
            }
            return static_cast<QPushButton *>(nullptr);
        };
        QTRY_VERIFY(button(QStringLiteral("Start training"))->isEnabled());
        button(QStringLiteral("Start training"))->click();
        QTRY_VERIFY(button(QStringLiteral("Compare now")));
        button(QStringLiteral("Compare now"))->click();
        QTRY_VERIFY(run.window.compare().isVisible());
        const auto shown = [&run](int column) {
            return run.window.library().entry(run.window.chat().chosenModel(column))->specification;
        };
        QCOMPARE(shown(0), QStringLiteral("/models/demo.gguf"));
        QTRY_VERIFY(shown(1).endsWith(QStringLiteral("/runs/demo-supra/now")));
        run.window.showPage(MainWindow::TrainPage);
        QVERIFY(button(QStringLiteral("Stop and keep")));
        button(QStringLiteral("Stop and keep"))->click();
        QTRY_VERIFY(button(QStringLiteral("Go on")));
    }

private:
    QTemporaryDir m_folder;
};

QTEST_MAIN(TestWindowLibrary)
#include "tst_windowlibrary.moc"
