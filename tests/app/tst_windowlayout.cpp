// How the window looks and what of that it remembers, with an engine without weights; pictures of every page.
#include "windowrun.h"

#include "compare/chatview.h"
#include "compare/comparecolumn.h"
#include "compare/modelchooser.h"
#include "lens/attentiondock.h"

using namespace lens;
using namespace lens::test;

class TestWindowLayout : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { forgetEverything(m_folder); }

    void remembersToMeasure()
    {
        {
            Run run(m_folder, {});
            QVERIFY(!run.window.findChild<AttentionDock *>()->autoMeasure());
            run.window.findChild<AttentionDock *>()->setAutoMeasure(true);
        }
        Run again(m_folder, {});
        QVERIFY(again.window.findChild<AttentionDock *>()->autoMeasure());
    }

    void fourColumnsFitASmallWindow()
    {
        Run run(m_folder, pair + pair);
        QTRY_VERIFY(run.isReady());
        QTest::qWait(50);
        QCOMPARE(run.window.width(), 1280);
        QVERIFY2(run.window.minimumSizeHint().width() <= 1280, qPrintable(QString::number(run.window.minimumSizeHint().width())));
        for (int i = 0; i < 4; ++i) {
            QVERIFY(run.window.compare().columnWidget(i)->width() >= 160);
            QVERIFY(run.window.compare().columnWidget(i)->findChild<ModelChooser *>()->width() >= 100);
        }
        QVERIFY(!run.window.findChild<QWidget *>(QStringLiteral("sidePanel"))->isVisible());
        run.window.chat().setColumnCount(2);
        QTRY_VERIFY(run.window.findChild<QWidget *>(QStringLiteral("sidePanel"))->isVisible());
    }

    /// A view lives on for a moment when its column is gone.
    void aDroppedColumnsViewStillHearsEvents()
    {
        Run run(m_folder, pair + pair);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("Once upon a time"));
        const QPointer<ChatView> last = &run.window.compare().columnWidget(3)->view();
        run.window.chat().setColumnCount(2);
        QVERIFY(last);
        QEvent changed(QEvent::FontChange);
        QApplication::sendEvent(last, &changed);
        QTRY_VERIFY(!last);
    }

    void picturesOfTheWindow_data()
    {
        QTest::addColumn<QString>("theme");
        QTest::addColumn<QSize>("size");
        QTest::addColumn<int>("columns");
        QTest::newRow("dark-1280x800-2") << "dark" << QSize(1280, 800) << 2;
        QTest::newRow("light-1280x800-2") << "light" << QSize(1280, 800) << 2;
        QTest::newRow("dark-1920x1080-4") << "dark" << QSize(1920, 1080) << 4;
        QTest::newRow("light-1920x1080-2") << "light" << QSize(1920, 1080) << 2;
        QTest::newRow("light-1280x800-4") << "light" << QSize(1280, 800) << 4;
    }

    void picturesOfTheWindow()
    {
        QFETCH(QString, theme);
        QFETCH(QSize, size);
        QFETCH(int, columns);
        QTemporaryDir folder;
        QStringList models = pair;
        while (models.size() < columns)
            models += pair;
        Run run(folder, models);
        run.settings.setTheme(themeChoice(theme));
        run.window.resize(size);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("Tell me a story about a fox."));
        QTRY_VERIFY(run.window.chat().column(columns - 1).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        run.window.selection().setToken(run.window.chat().column(0).last()->answer.tokens[6].position);
        QTest::qWait(300);
        const QStringList names{QStringLiteral("compare"), QStringLiteral("models"), QStringLiteral("sessions"),
                                QStringLiteral("plugins"), QStringLiteral("train")};
        for (int page = 0; page < names.size(); ++page) {
            run.window.showPage(page);
            QTest::qWait(150);
            const QString file =
                QStringLiteral("%1/window-%2-%3.png")
                    .arg(SUPRALENS_TEST_OUTPUT, QString::fromLatin1(QTest::currentDataTag()), names[page]);
            QVERIFY(run.window.grab().save(file));
        }
    }

    void pictureWithoutModels()
    {
        QTemporaryDir folder;
        Run run(folder, {});
        QTest::qWait(200);
        QVERIFY(run.window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/window-empty-models.png")));
        run.window.showPage(MainWindow::ComparePage);
        QTest::qWait(100);
        QVERIFY(run.window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/window-empty-compare.png")));
    }

private:
    QTemporaryDir m_folder;
};

QTEST_MAIN(TestWindowLayout)
#include "tst_windowlayout.moc"
