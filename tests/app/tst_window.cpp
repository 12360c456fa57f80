// A person's way through the window, with an engine without weights: type, send, watch, stop, select, come back later.
#include "appsettings.h"
#include "bridge/modellistmodel.h"
#include "compare/chatview.h"
#include "compare/comparecolumn.h"
#include "compare/compareworkspace.h"
#include "compare/modelchooser.h"
#include "compare/promptbox.h"
#include "compare/tokenpopup.h"
#include "lens/attentiondock.h"
#include "lens/klstrip.h"
#include "mainwindow.h"
#include "themeswitch.h"
#include "ui/support/fakeengine.h"
#include "ui/support/faketraining.h"
#include "uptrain/runform.h"
#include "uptrain/trainingpage.h"
#include "widgets/errorbanner.h"
#include "widgets/navigationrail.h"

#include <QClipboard>
#include <QDir>
#include <QDragEnterEvent>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

namespace {

const QStringList pair{QStringLiteral("/models/demo.gguf"), QStringLiteral("/models/demo.gguf@supra")};

/// One run of the application.
struct Run {
    explicit Run(const QTemporaryDir &folder, const QStringList &models = pair)
        : settings(folder.filePath(QStringLiteral("settings.ini"))), theme(settings),
          window(engine, training, settings, folder.filePath(QStringLiteral("workspace.supralens")))
    {
        window.resize(1280, 800);
        window.show();
        window.openModels(models);
    }

    bool isReady() const { return window_().column(0).model() && window_().column(1).model(); }
    const ChatController &window_() const { return const_cast<MainWindow &>(window).chat(); }
    QPlainTextEdit *prompt() { return window.compare().prompt().findChild<QPlainTextEdit *>(); }

    void ask(const QString &text)
    {
        prompt()->setFocus();
        QTest::keyClicks(prompt(), text);
        QTest::keyClick(prompt(), Qt::Key_Return);
    }

    /// On `target`, else where no column is.
    void drop(const QStringList &paths, const QWidget *target = nullptr)
    {
        QMimeData data;
        QList<QUrl> urls;
        for (const QString &path : paths)
            urls.append(QUrl::fromLocalFile(path));
        data.setUrls(urls);
        const QPoint at = target ? target->mapTo(&window, target->rect().center()) : QPoint(2, 2);
        QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent event(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(&window, &event);
    }

    FakeEngine engine;
    FakeTraining training;
    AppSettings settings;
    ThemeSwitch theme;
    MainWindow window;
};

} // namespace

class TestWindow : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        const QByteArray nowhere = m_folder.filePath(QStringLiteral("no-models")).toUtf8();
        for (const char *place : {"SUPRALENS_MODELS", "XDG_DATA_HOME", "XDG_DATA_DIRS"})
            qputenv(place, nowhere);
        QFile::remove(m_folder.filePath(QStringLiteral("settings.ini")));
        QVERIFY(m_folder.isValid());
    }

    void asksAndAnswers()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("Tell me a story about a fox."));
        QVERIFY(run.prompt()->toPlainText().isEmpty());
        QTRY_VERIFY(run.window.chat().isBusy() || run.window.chat().column(0).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        const Column &softmax = run.window.chat().column(0), &supra = run.window.chat().column(1);
        QVERIFY(softmax.last()->answer.text.startsWith(QStringLiteral("the little fox")));
        QCOMPARE(softmax.differenceIndex(), 11);
        QCOMPARE(supra.differenceIndex(), 11);
        QTRY_VERIFY(!std::isnan(softmax.last()->answer.tokens[3].kl));
        QVERIFY(run.window.chat().session() > 0);
        QTRY_VERIFY(softmax.last()->answer.generation > 0);
    }

    void selectsATokenEverywhere()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("fox"));
        QTRY_VERIFY(run.window.chat().column(0).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        ChatView &view = run.window.compare().columnWidget(0)->view();
        const auto rects = view.chatLayout().rectsOf({0, 3});
        QVERIFY(!rects.empty());
        QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, rects.front().center().toPoint());
        QCOMPARE(run.window.selection().token(), run.window.chat().column(0).last()->answer.tokens[3].position);
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(run.window.selection().token(), run.window.chat().column(0).last()->answer.tokens[4].position);
        const auto *popup = view.findChild<TokenPopup *>();
        QTest::keyClick(&view, Qt::Key_Return);
        QVERIFY(popup->isVisible());
        QTest::keyClick(&view, Qt::Key_Escape);
        QVERIFY(!popup->isVisible());
        QTest::keyClick(&view, Qt::Key_Return);
        QVERIFY(popup->isVisible());
        Q_EMIT run.window.findChild<NavigationRail *>()->chosen(1);
        QVERIFY(!popup->isVisible());
    }

    void stopsAndContinues()
    {
        Run run(m_folder);
        run.engine.pause = std::chrono::milliseconds(40);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("fox"));
        QTRY_VERIFY(run.window.chat().column(0).last() && run.window.chat().column(0).last()->answer.tokens.size() > 2);
        QTest::keyClick(run.prompt(), Qt::Key_Escape);
        QTRY_VERIFY(!run.window.chat().isBusy());
        const ColumnAnswer stopped = run.window.chat().column(0).last()->answer;
        QVERIFY(stopped.reason == StopReason::Cancelled);
        QVERIFY(stopped.tokens.size() < 25);
        run.engine.pause = std::chrono::milliseconds(1);
        run.window.chat().continueAnswer(0);
        QTRY_VERIFY(!run.window.chat().isBusy());
        QVERIFY(run.window.chat().column(0).last()->answer.tokens.size() > stopped.tokens.size());
        QCOMPARE(run.window.chat().column(0).last()->answer.generation, stopped.generation);
    }

    void regeneratesOneColumn()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("fox"));
        QTRY_VERIFY(run.window.chat().column(1).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        QTRY_VERIFY(run.window.chat().column(1).last()->answer.generation > 0);
        const RowId kept = run.window.chat().column(1).last()->answer.generation;
        const RowId turn = run.window.chat().column(0).last()->turn;
        run.window.chat().regenerate(0);
        QTRY_VERIFY(!run.window.chat().isBusy());
        QCOMPARE(run.window.chat().column(0).exchanges().size(), std::size_t(1));
        QVERIFY(run.window.chat().column(0).last()->turn > turn);
        QCOMPARE(run.window.chat().column(1).last()->turn, run.window.chat().column(0).last()->turn);
        QCOMPARE(run.window.chat().column(1).last()->answer.generation, kept);
    }

    void editsAndAsksAgain()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        for (const QString &prompt : {QStringLiteral("first"), QStringLiteral("second")}) {
            run.ask(prompt);
            QTRY_VERIFY(run.window.chat().column(1).last() && run.window.chat().column(1).last()->prompt == prompt);
            QTRY_VERIFY(!run.window.chat().isBusy());
        }
        run.window.chat().editAndResend(0, 0, QStringLiteral("other"));
        QTRY_VERIFY(!run.window.chat().isBusy());
        QCOMPARE(run.window.chat().column(0).exchanges().size(), std::size_t(1));
        QCOMPARE(run.window.chat().column(1).exchanges().size(), std::size_t(1));
        QCOMPARE(run.window.chat().column(1).last()->prompt, QStringLiteral("other"));
    }

    void findsTheSessionAgain()
    {
        QTemporaryDir folder;
        {
            Run run(folder);
            QTRY_VERIFY(run.isReady());
            run.ask(QStringLiteral("a very particular aardvark"));
            QTRY_VERIFY(run.window.chat().column(0).last());
            QTRY_VERIFY(!run.window.chat().isBusy());
            run.window.close();
        }
        Run again(folder, {});
        QTRY_COMPARE(again.window.sessions().rowCount(), 1);
        again.window.sessions().setSearch(QStringLiteral("aardv"));
        QTRY_VERIFY(!again.window.sessions().index(0).data(SessionListModel::SnippetRole).toString().isEmpty());
        const qint64 session = again.window.sessions().index(0).data(SessionListModel::IdRole).toLongLong();
        QMetaObject::invokeMethod(again.window.findChild<QObject *>(QStringLiteral("sidePanel")), "sessionChosen",
                                  Q_ARG(qint64, session));
        QTRY_VERIFY(again.window.chat().column(0).last());
        const Exchange &exchange = *again.window.chat().column(0).last();
        QCOMPARE(exchange.prompt, QStringLiteral("a very particular aardvark"));
        QVERIFY(exchange.answer.text.startsWith(QStringLiteral("the little fox")));
        QCOMPARE(exchange.answer.tokens.size(), std::size_t(31));
        QCOMPARE(exchange.answer.tokens[0].alternatives.size(), std::size_t(4));
        QTRY_VERIFY(again.isReady());
    }

    void closesWhileGenerating()
    {
        QTemporaryDir folder;
        {
            Run run(folder);
            run.engine.pause = std::chrono::milliseconds(30);
            QTRY_VERIFY(run.isReady());
            run.ask(QStringLiteral("fox"));
            QTRY_VERIFY(run.window.chat().column(0).last() &&
                        run.window.chat().column(0).last()->answer.tokens.size() > 4);
            run.window.close();
            QTRY_VERIFY(!run.window.isVisible());
        }
        auto workspace = Workspace::open(folder.filePath(QStringLiteral("workspace.supralens")).toStdString());
        QVERIFY(workspace.has_value());
        QCOMPARE((*workspace)->interruptedGenerations(), 0);
        QVERIFY((*workspace)->generations().tokens(1)->size() > 4);
    }

    void takesALongPaste()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        QElapsedTimer timer;
        timer.start();
        run.window.compare().prompt().setText(QString(1 << 20, QLatin1Char('x')));
        run.window.compare().prompt().findChild<QPushButton *>()->click();
        QTRY_VERIFY(run.window.chat().column(0).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        QVERIFY2(timer.elapsed() < 3000, qPrintable(QString::number(timer.elapsed())));
        QCOMPARE(run.window.chat().column(0).last()->prompt.size(), qsizetype(1) << 20);
    }

    void copiesChosenText()
    {
        Run run(m_folder);
        QTRY_VERIFY(run.isReady());
        run.ask(QStringLiteral("fox"));
        QTRY_VERIFY(run.window.chat().column(0).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        ChatView &view = run.window.compare().columnWidget(0)->view();
        const QRectF first = view.chatLayout().rectsOf({0, 0}).front(), third = view.chatLayout().rectsOf({0, 2}).front();
        QTest::mousePress(view.viewport(), Qt::LeftButton, {}, QPoint(int(first.left()), int(first.center().y())));
        QTest::mouseMove(view.viewport(), third.center().toPoint());
        const QPoint end(int(std::ceil(third.right())), int(third.center().y()));
        QTest::mouseMove(view.viewport(), end);
        QTest::mouseRelease(view.viewport(), Qt::LeftButton, {}, end);
        QCOMPARE(view.selectedText(), QStringLiteral("the little fox"));
        QTest::keyClick(&view, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("the little fox"));
        QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, first.center().toPoint());
        QVERIFY(view.selectedText().isEmpty());
        QTest::keyClick(&view, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QGuiApplication::clipboard()->text(), run.window.chat().column(0).last()->answer.text);
    }

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

    void comparesTheChosenPair()
    {
        Run run(m_folder, pair + QStringList{QStringLiteral("/models/other.gguf")});
        QTRY_VERIFY(run.isReady() && run.window.chat().column(2).model());
        run.ask(QStringLiteral("fox"));
        QTRY_VERIFY(run.window.chat().column(2).last());
        QTRY_VERIFY(!run.window.chat().isBusy());
        for (int i = 0; i < 3; ++i)
            QTRY_VERIFY(!std::isnan(run.window.chat().column(i).last()->answer.tokens[3].kl));
        auto *strip = run.window.findChild<KlStrip *>();
        QSignalSpy difference(&run.window.chat(), &ChatController::firstDifferenceChanged);
        Q_EMIT strip->otherChosen(2);
        QCOMPARE(difference.count(), 1);
        QTRY_VERIFY(!std::isnan(run.window.chat().column(0).last()->answer.tokens[3].kl));
        run.window.chat().removeColumn(2);
        QTRY_VERIFY(!std::isnan(run.window.chat().column(1).last()->answer.tokens[3].kl));
    }

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

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
