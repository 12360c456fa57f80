// A process that writes is killed at random moments; whatever it had been told is stored must be there afterwards.
#include "storetest.h"

#include <QProcess>
#include <QRandomGenerator>
#include <map>

using namespace lens;
using namespace lens::test;

namespace {

/// What the child said was on the disk.
struct Promised {
    std::map<RowId, std::string> prompts;
    std::map<RowId, std::int64_t> tokens;
    std::map<RowId, std::int64_t> finished;
};

void take(Promised &promised, const QByteArray &output)
{
    const QList<QByteArray> lines = output.split('\n');
    for (qsizetype i = 0; i + 1 < lines.size(); ++i) { // what follows the last newline was cut
        const QList<QByteArray> words = lines[i].split(' ');
        const RowId row = words[1].toLongLong();
        if (words[0] == "P")
            promised.prompts[row] = "prompt " + words[2].toStdString();
        else if (words[0] == "T")
            promised.tokens[row] = words[2].toLongLong();
        else
            promised.finished[row] = words[2].toLongLong();
    }
}

void verifyTokens(Workspace &workspace, RowId id, std::int64_t atLeast)
{
    const auto tokens = must(workspace.generations().tokens(id));
    QVERIFY(std::int64_t(tokens.size()) >= atLeast);
    QCOMPARE(must(workspace.generations().get(id)).tokens, std::int64_t(tokens.size()));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        QCOMPARE(tokens[i].id, std::int32_t(i));
}

void verifyKept(Workspace &workspace, const Promised &promised)
{
    for (const auto &[turn, prompt] : promised.prompts)
        QCOMPARE(must(workspace.sessions().turn(turn)).prompt, prompt);
    for (const auto &[generation, count] : promised.tokens)
        verifyTokens(workspace, generation, count);
    for (const auto &[generation, count] : promised.finished) {
        QCOMPARE(must(workspace.generations().get(generation)).tokens, count);
        QVERIFY(must(workspace.generations().get(generation)).status == GenerationStatus::Complete);
    }
}

void verifyNoneRunning(Workspace &workspace)
{
    for (const SessionSummary &summary : must(workspace.sessions().list({SessionFilter::Active, 0, 100000}))) {
        for (const GenerationRow &row : must(workspace.sessions().content(summary.session.id)).generations)
            QVERIFY(row.status == GenerationStatus::Complete || row.status == GenerationStatus::Interrupted);
    }
}

} // namespace

class TestStoreKill : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothingPromisedIsLost()
    {
        bool given = false;
        const int asked = qEnvironmentVariableIntValue("SUPRALENS_KILLS", &given);
        const int kills = given ? asked : 100;
        QRandomGenerator random(20240607);
        std::int64_t interrupted = 0, prompts = 0;
        for (int done = 0; done < kills;) {
            QTemporaryDir folder;
            // Twenty kills a file: so the making of the file is interrupted, too, and so is a grown one.
            for (int i = 0; i < 20 && done < kills; ++i, ++done) {
                Promised promised;
                const bool atOnce = i % 5 == 0;
                run(folder.filePath("w.db"), done, atOnce, random.bounded(80), promised);
                if (QTest::currentTestFailed())
                    return;
                const auto opened = Workspace::open(folder.filePath("w.db").toStdString());
                VERIFY_OK(opened);
                interrupted += (*opened)->interruptedGenerations();
                prompts += std::int64_t(promised.prompts.size());
                verifyKept(**opened, promised);
                verifyNoneRunning(**opened);
                QCOMPARE(must((*opened)->check()), std::vector<std::string>());
                if (QTest::currentTestFailed())
                    return;
            }
        }
        qInfo("%d kills, %lld prompts acknowledged, %lld generations interrupted", kills, qlonglong(prompts),
              qlonglong(interrupted));
        QVERIFY(kills < 50 || (prompts > kills / 5 && interrupted > kills / 5));
    }

private:
    /// Kills the child that long after its start, or after its first promise.
    static void run(const QString &file, int seed, bool atOnce, int milliseconds, Promised &promised)
    {
        QProcess child;
        child.setProcessChannelMode(QProcess::SeparateChannels);
        child.start(QCoreApplication::applicationDirPath() + "/storekillchild", {file, QString::number(seed)});
        QVERIFY(child.waitForStarted());
        QVERIFY(atOnce || child.waitForReadyRead());
        QTest::qSleep(milliseconds);
        QCOMPARE(child.state(), QProcess::Running);
        child.kill();
        QVERIFY(child.waitForFinished());
        QVERIFY2(child.exitStatus() == QProcess::CrashExit, child.readAllStandardError().constData());
        take(promised, child.readAllStandardOutput());
    }
};

QTEST_GUILESS_MAIN(TestStoreKill)
#include "tst_storekill.moc"
