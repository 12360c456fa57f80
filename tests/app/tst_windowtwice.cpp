// A person starts the program a second time: the second window reads what the first one writes, until that is closed.
#include "windowrun.h"

#include "sessions/sessionspage.h"
#include "uptrain/preflightcard.h"
#include "uptrain/runform.h"
#include "uptrain/trainingpage.h"
#include "workspacebar.h"

#include <QPushButton>

using namespace lens;
using namespace lens::test;

namespace {

QPushButton *button(const QWidget &parent, const QString &label)
{
    for (QPushButton *found : parent.findChildren<QPushButton *>()) {
        if (found->text() == label)
            return found;
    }
    return nullptr;
}

const Exchange *last(Run &run, int column = 0)
{
    return run.window.chat().column(column).last();
}

/// Asks, and waits for both answers.
void converse(Run &run, const QString &prompt)
{
    run.ask(prompt);
    QTRY_VERIFY(last(run, 1) && last(run, 1)->prompt == prompt);
    QTRY_VERIFY(!run.window.chat().isBusy());
}

WorkspaceBar &bar(Run &run)
{
    return *run.window.findChild<WorkspaceBar *>();
}

bool isShownReadOnly(Run &run)
{
    return bar(run).isVisible() && bar(run).plainText().contains(QStringLiteral("read-only"));
}

void tryAgain(Run &run)
{
    QTest::mouseClick(button(bar(run), QStringLiteral("Try again")), Qt::LeftButton);
}

void openFirstSession(Run &run)
{
    QTRY_VERIFY(run.window.sessions().rowCount() > 0);
    const qint64 session = run.window.sessions().index(0).data(SessionListModel::IdRole).toLongLong();
    QMetaObject::invokeMethod(run.window.findChild<QObject *>(QStringLiteral("sidePanel")), "sessionChosen",
                              Q_ARG(qint64, session));
    QTRY_COMPARE(run.window.chat().session(), session);
}

} // namespace

class TestWindowTwice : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        forgetEverything(*m_folder);
        m_first = std::make_unique<Run>(*m_folder);
        QTRY_VERIFY(m_first->isReady());
        converse(*m_first, QStringLiteral("fox"));
        QTRY_VERIFY(last(*m_first, 1)->answer.generation > 0);
        QVERIFY(!bar(*m_first).isVisible());
        m_second = std::make_unique<Run>(*m_folder);
        QTRY_VERIFY(m_second->isReady());
        QTRY_VERIFY(isShownReadOnly(*m_second));
    }

    void cleanup()
    {
        m_second.reset();
        m_first.reset();
    }

    void asksWithoutKeepingUntilItMay()
    {
        openFirstSession(*m_second);
        QCOMPARE(last(*m_second)->prompt, QStringLiteral("fox"));
        QTRY_VERIFY(m_second->isReady());
        picture("read");
        converse(*m_second, QStringLiteral("hen"));
        m_second->window.chat().continueAnswer(0);
        QTRY_VERIFY(!m_second->window.chat().isBusy());
        QVERIFY(last(*m_second)->answer.text.startsWith(QStringLiteral("the little fox")));
        QCOMPARE(m_second->window.chat().session(), RowId(0));
        QVERIFY(!m_second->window.compare().banner().isVisible());
        tryAgain(*m_second);
        QTRY_VERIFY(bar(*m_second).plainText().contains(QStringLiteral("still open")));
        picture("still");
        // The other one notices nothing, and has lost nothing.
        converse(*m_first, QStringLiteral("owl"));
        QVERIFY(last(*m_first)->turn > 0);
        m_first.reset();
        tryAgain(*m_second);
        QTRY_VERIFY(bar(*m_second).plainText().contains(QStringLiteral("kept again")));
        picture("half");
        QVERIFY(!button(bar(*m_second), QStringLiteral("Try again"))->isVisible());
        converse(*m_second, QStringLiteral("cat"));
        QCOMPARE(last(*m_second)->turn, RowId(0));
        QTest::keyClick(&m_second->window, Qt::Key_N, Qt::ControlModifier);
        QTRY_VERIFY(!bar(*m_second).isVisible());
        converse(*m_second, QStringLiteral("dog"));
        QVERIFY(last(*m_second)->turn > 0);
        QTRY_COMPARE(m_second->window.sessions().rowCount(), 2);
        m_second->window.sessions().setSearch(QStringLiteral("owl"));
        QTRY_COMPARE(m_second->window.sessions().rowCount(), 1);
        openFirstSession(*m_second);
        QTRY_COMPARE(last(*m_second)->prompt, QStringLiteral("owl"));
        QCOMPARE(m_second->window.chat().column(0).exchanges().size(), std::size_t(2));
    }

    /// It was on show as it had been, and must not be gone on with from there.
    void goesOnWhereTheOtherEnded()
    {
        openFirstSession(*m_second);
        const RowId session = m_second->window.chat().session();
        converse(*m_first, QStringLiteral("owl"));
        QTRY_VERIFY(last(*m_first, 1)->answer.generation > 0);
        m_first.reset();
        m_second->window.showPage(MainWindow::TrainPage);
        tryAgain(*m_second);
        QTRY_VERIFY(last(*m_second) && last(*m_second)->prompt == QStringLiteral("owl"));
        QVERIFY(m_second->window.training().isVisible());
        QVERIFY(!bar(*m_second).isVisible());
        m_second->window.showPage(MainWindow::ComparePage);
        QTRY_VERIFY(m_second->isReady());
        const RowId turn = last(*m_second)->turn;
        converse(*m_second, QStringLiteral("hen"));
        QCOMPARE(m_second->window.chat().session(), session);
        QVERIFY(last(*m_second)->turn > turn);
        QCOMPARE(last(*m_second)->parent, turn);
    }

    void offersNothingThatWouldHaveToBeWritten()
    {
        openFirstSession(*m_second);
        const auto &sessions = *m_second->window.findChild<SessionsPage *>();
        m_second->window.showPage(MainWindow::SessionsPage_);
        QTRY_VERIFY(button(sessions, QStringLiteral("Export…"))->isEnabled());
        picture("sessions");
        for (const QString &label : {QStringLiteral("Rename"), QStringLiteral("Delete")}) {
            QVERIFY(!button(sessions, label)->isEnabled());
            QVERIFY(!button(sessions, label)->toolTip().isEmpty());
        }
        TrainingPage &training = m_second->window.training();
        m_second->window.showPage(MainWindow::TrainPage);
        picture("training");
        QVERIFY(!button(training, QStringLiteral("Start training"))->isEnabled());
        QVERIFY(training.form().preflight().reason().contains(QStringLiteral("read-only")));
        m_first.reset();
        tryAgain(*m_second);
        QTRY_VERIFY(!bar(*m_second).isVisible());
        QVERIFY(!training.form().preflight().reason().contains(QStringLiteral("read-only")));
        m_second->window.showPage(MainWindow::SessionsPage_);
        QTRY_VERIFY(button(sessions, QStringLiteral("Delete"))->isEnabled());
    }

private:
    void picture(const char *name)
    {
        QTest::qWait(150);
        QVERIFY(m_second->window.grab().save(
            QStringLiteral("%1/window-twice-%2.png").arg(SUPRALENS_TEST_OUTPUT, QLatin1String(name))));
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<Run> m_first;
    std::unique_ptr<Run> m_second;
};

QTEST_MAIN(TestWindowTwice)
#include "tst_windowtwice.moc"
