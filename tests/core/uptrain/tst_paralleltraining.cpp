// The same command as several processes, as torchrun would start them: the losses of one process, less optimiser state
// each, a clear end when one is killed, and a resume with another number of them.
#include "smallruns.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTcpServer>
#include <QtTest>
#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

using namespace lens;
using namespace lens::test;

namespace {

using Processes = std::vector<std::unique_ptr<QProcess>>;

QString freePort()
{
    QTcpServer server;
    server.listen(QHostAddress::LocalHost);
    return QString::number(server.serverPort());
}

/// Loss by step, from a run's log.
std::map<int, double> losses(const std::string &folder)
{
    std::map<int, double> values;
    QFile log(QString::fromStdString(folder) + "/log.jsonl");
    if (!log.open(QIODevice::ReadOnly))
        return values;
    for (const QByteArray &line : log.readAll().split('\n')) {
        const QJsonObject object = QJsonDocument::fromJson(line).object();
        if (object["kind"] == QString("step"))
            values[object["step"].toInt()] = object["loss"].toDouble();
    }
    return values;
}

} // namespace

class ParallelTrainingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void lossesAreThoseOfOneProcess_data();
    void lossesAreThoseOfOneProcess();
    void attentionTransferIsThatOfOneProcess();
    void lostProcessEndsTheOthers();
    void batchThatDoesNotSplitIsRefused();

private:
    Recipe recipe(const QString &out) const;
    Processes start(const Recipe &recipe, int count, bool resume = false) const;
    static bool allDone(const Processes &processes, int milliseconds = 120000);

    SmallRuns m_runs;
    std::map<int, double> m_expected;
};

Recipe ParallelTrainingTest::recipe(const QString &out) const
{
    Recipe recipe = m_runs.scratch(out, 12);
    recipe.batch = 8;
    recipe.checkpointEvery = 4;
    return recipe;
}

Processes ParallelTrainingTest::start(const Recipe &recipe, int count, bool resume) const
{
    const QString file = QString::fromStdString(recipe.out) + ".json";
    writeText(file, QByteArray::fromStdString(toJson(recipe).dump()));
    const QString port = freePort();
    Processes processes;
    for (int rank = 0; rank < count; ++rank) {
        auto process = std::make_unique<QProcess>();
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        if (count > 1) {
            environment.insert("RANK", QString::number(rank));
            environment.insert("WORLD_SIZE", QString::number(count));
            environment.insert("MASTER_ADDR", "127.0.0.1");
            environment.insert("MASTER_PORT", port);
        }
        process->setProcessEnvironment(environment);
        QStringList arguments{"uptrain", "--recipe", file, "--threads", "1"};
        if (resume)
            arguments << "--resume";
        process->start(SUPRALENS_CLI, arguments);
        processes.push_back(std::move(process));
    }
    return processes;
}

bool ParallelTrainingTest::allDone(const Processes &processes, int milliseconds)
{
    bool good = true;
    for (const auto &process : processes)
        if (!process->waitForFinished(milliseconds) || process->exitStatus() != QProcess::NormalExit || process->exitCode() != 0) {
            qWarning("%s", process->readAllStandardError().constData());
            good = false;
        }
    return good;
}

void ParallelTrainingTest::initTestCase()
{
    qputenv("XDG_CACHE_HOME", m_runs.file("xdg").c_str());
    const Recipe one = recipe("one");
    QVERIFY(allDone(start(one, 1)));
    m_expected = losses(one.out);
    QCOMPARE(m_expected.size(), std::size_t{12});
}

void ParallelTrainingTest::lossesAreThoseOfOneProcess_data()
{
    QTest::addColumn<int>("count");
    QTest::newRow("two") << 2;
    QTest::newRow("four") << 4;
}

void ParallelTrainingTest::lossesAreThoseOfOneProcess()
{
    QFETCH(int, count);
    const Recipe many = recipe(QString(QTest::currentDataTag()));
    QVERIFY(allDone(start(many, count)));
    const std::map<int, double> seen = losses(many.out);
    QCOMPARE(seen.size(), m_expected.size());
    for (const auto &[step, loss] : m_expected)
        QVERIFY2(std::abs(seen.at(step) - loss) < 1e-5, qPrintable(QString("step %1: %2, not %3").arg(step).arg(seen.at(step), 0, 'g', 10).arg(loss, 0, 'g', 10)));
}

void ParallelTrainingTest::attentionTransferIsThatOfOneProcess()
{
    Recipe one = recipe("transfer");
    one.model = m_runs.file("one") + "@supra";
    one.scratch.clear();
    one.tokenizer.clear();
    one.stages = {{Objective::AttentionTransfer, Trainable::FeatureMaps, 4, 1e-2, 1e-3, 0, 0, 1, 1}};
    Recipe many = one;
    many.out = m_runs.file("transfer of two");
    QVERIFY(allDone(start(one, 1)));
    QVERIFY(allDone(start(many, 2)));
    const std::map<int, double> expected = losses(one.out), seen = losses(many.out);
    QCOMPARE(expected.size(), std::size_t{4});
    for (const auto &[step, loss] : expected)
        QVERIFY(std::abs(seen.at(step) / loss - 1) < 1e-5);
}

void ParallelTrainingTest::lostProcessEndsTheOthers()
{
    Recipe lost = recipe("lost");
    lost.stages[0].steps = 4000;
    Processes processes = start(lost, 2);
    QTRY_VERIFY_WITH_TIMEOUT(losses(lost.out).size() > 6, 60000);
    ::kill(static_cast<pid_t>(processes[1]->processId()), SIGKILL);
    QElapsedTimer waited;
    waited.start();
    QVERIFY(processes[0]->waitForFinished(30000));
    QVERIFY(waited.elapsed() < 30000);
    QCOMPARE(processes[0]->exitCode(), 1);
    const QByteArray message = processes[0]->readAllStandardError();
    QVERIFY2(message.contains("rank 1"), message.constData());

    // With one process instead of two, from what the two had left.
    const std::size_t before = losses(lost.out).size();
    Processes alone = start(lost, 1, true);
    QTRY_VERIFY_WITH_TIMEOUT(losses(lost.out).size() > before + 3, 60000);
    alone[0]->terminate();
    alone[0]->waitForFinished();
    const std::map<int, double> seen = losses(lost.out);
    int step = 0;
    for (const auto &[number, loss] : seen)
        QCOMPARE(number, ++step);
}

void ParallelTrainingTest::batchThatDoesNotSplitIsRefused()
{
    Recipe odd = recipe("odd");
    odd.batch = 3;
    Processes processes = start(odd, 2);
    QVERIFY(!allDone(processes));
    QCOMPARE(processes[0]->exitCode(), 1);
}

QTEST_GUILESS_MAIN(ParallelTrainingTest)
#include "tst_paralleltraining.moc"
