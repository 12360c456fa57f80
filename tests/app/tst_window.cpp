// A person's way through a conversation, with an engine without weights: type, send, watch, stop, select, come back.
#include "windowrun.h"

#include "compare/chatview.h"
#include "compare/comparecolumn.h"
#include "compare/tokenpopup.h"
#include "lens/klstrip.h"
#include "widgets/navigationrail.h"

#include <QClipboard>
#include <QPushButton>
#include <QSignalSpy>

using namespace lens;
using namespace lens::test;

class TestWindow : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { forgetEverything(m_folder); }

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
        QTRY_VERIFY(run.window.chat().column(0).last()->answer.generation != ColumnAnswer().generation); // from the store's thread
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

private:
    QTemporaryDir m_folder;
};

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
