// Data-parallel steps over real processes: the same losses as one process, less optimiser state each, a lost process
// noticed by all others, and checkpoints that another number of processes goes on from.
#include <QElapsedTimer>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>

#include <memory>

namespace {

class Processes {
public:
    Processes(int count, const QStringList &arguments)
    {
        static int port = 21000 + int(QCoreApplication::applicationPid() % 20000);
        ++port;
        for (int rank = 0; rank < count; ++rank) {
            auto process = std::make_unique<QProcess>();
            QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
            environment.insert("RANK", QString::number(rank));
            environment.insert("WORLD_SIZE", QString::number(count));
            environment.insert("MASTER_ADDR", "127.0.0.1");
            environment.insert("MASTER_PORT", QString::number(port));
            environment.insert("OMP_NUM_THREADS", "1");
            process->setProcessEnvironment(environment);
            process->start(SUPRALENS_DISTRIBUTED_WORKER, arguments);
            m_processes.push_back(std::move(process));
        }
    }

    ~Processes()
    {
        for (const auto &process : m_processes) {
            process->kill();
            process->waitForFinished();
        }
    }

    bool wait(int seconds, int except = -1)
    {
        QElapsedTimer timer;
        timer.start();
        for (int rank = 0; rank < int(m_processes.size()); ++rank)
            if (rank != except && m_processes[rank]->state() != QProcess::NotRunning
                && !m_processes[rank]->waitForFinished(std::max<qint64>(1, seconds * 1000 - timer.elapsed())))
                return false;
        return true;
    }

    bool succeeded() const
    {
        for (const auto &process : m_processes)
            if (process->exitStatus() != QProcess::NormalExit || process->exitCode() != 0) {
                qWarning("%s", process->readAllStandardError().constData());
                return false;
            }
        return true;
    }

    QProcess &operator[](int rank) { return *m_processes[rank]; }

    QStringList lines(int rank) { return QString::fromUtf8(m_processes[rank]->readAllStandardOutput()).trimmed().split('\n'); }

private:
    std::vector<std::unique_ptr<QProcess>> m_processes;
};

struct Outcome {
    QList<double> losses;
    qint64 bytes = 0;
};

Outcome outcomeOf(int processes, const QStringList &arguments)
{
    Processes group(processes, arguments);
    if (!group.wait(120) || !group.succeeded())
        return {};
    Outcome outcome;
    for (const QString &line : group.lines(processes - 1))
        line.startsWith("bytes") ? void(outcome.bytes = line.mid(6).toLongLong()) : outcome.losses.append(line.toDouble());
    return outcome;
}

double largestDifference(const QList<double> &a, const QList<double> &b)
{
    if (a.isEmpty() || a.size() != b.size())
        return qInf();
    double largest = 0;
    for (int i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

} // namespace

class DistributedTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sameLossesAndLessState();
    void lostProcess_data();
    void lostProcess();
    void resumesWithOtherNumbers();
    void unfinishedEnvironment();
};

void DistributedTest::sameLossesAndLessState()
{
    const Outcome one = outcomeOf(1, {"30"}), two = outcomeOf(2, {"30"}), four = outcomeOf(4, {"30"});
    QCOMPARE(one.losses.size(), 30);
    QVERIFY(one.losses.last() < 0.7 * one.losses.first());
    QVERIFY(largestDifference(one.losses, two.losses) < 1e-5);
    QVERIFY(largestDifference(one.losses, four.losses) < 1e-5);
    QVERIFY(two.bytes < 0.52 * one.bytes);
    QVERIFY(four.bytes < 0.27 * one.bytes);
}

void DistributedTest::lostProcess_data()
{
    QTest::addColumn<QString>("fault");
    QTest::addColumn<int>("processes");
    QTest::addColumn<int>("lost");
    QTest::newRow("killed, of two") << "kill" << 2 << 1;
    QTest::newRow("killed, of four") << "kill" << 4 << 2;
    QTest::newRow("killed, the keeper of the store") << "kill" << 4 << 0;
    QTest::newRow("stopped without dying") << "stop" << 2 << 1;
    QTest::newRow("gave up") << "leave" << 4 << 3;
}

void DistributedTest::lostProcess()
{
    QFETCH(QString, fault);
    QFETCH(int, processes);
    QFETCH(int, lost);
    QElapsedTimer timer;
    timer.start();
    Processes group(processes, {"1000000", "fault=" + fault, "at=" + QString::number(lost)});
    QVERIFY(group.wait(60, lost));
    qInfo("%.1f s", double(timer.elapsed()) / 1000);
    QVERIFY(timer.elapsed() < 35000);  // 30 s, and the start of the programs
    for (int rank = 0; rank < processes; ++rank) {
        if (rank == lost)
            continue;
        QCOMPARE(group[rank].exitStatus(), QProcess::NormalExit);
        QCOMPARE(group[rank].exitCode(), 3);
        const QByteArray message = group[rank].readAllStandardError();
        QVERIFY2(message.contains("rank " + QByteArray::number(lost)), message);
    }
}

void DistributedTest::resumesWithOtherNumbers()
{
    const QTemporaryDir folder;
    const auto path = [&](const char *name) { return folder.filePath(name); };
    const Outcome whole = outcomeOf(1, {"30"});
    QList<double> losses = outcomeOf(2, {"10", "save=" + path("a")}).losses;
    losses += outcomeOf(4, {"10", "load=" + path("a"), "save=" + path("b")}).losses;
    losses += outcomeOf(1, {"10", "load=" + path("b")}).losses;
    QVERIFY(largestDifference(whole.losses, losses) < 1e-5);
    // The same number of processes goes on bit for bit.
    const QList<double> straight = outcomeOf(4, {"20"}).losses;
    QList<double> halves = outcomeOf(4, {"10", "save=" + path("c")}).losses;
    halves += outcomeOf(4, {"10", "load=" + path("c")}).losses;
    QCOMPARE(halves, straight);
}

void DistributedTest::unfinishedEnvironment()
{
    QProcess process;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert("WORLD_SIZE", "2");
    environment.insert("RANK", "seven");
    process.setProcessEnvironment(environment);
    process.start(SUPRALENS_DISTRIBUTED_WORKER, {"1"});
    QVERIFY(process.waitForFinished());
    QCOMPARE(process.exitCode(), 3);
    QVERIFY(process.readAllStandardError().startsWith("RANK: \"seven\" is not a number"));
}

QTEST_GUILESS_MAIN(DistributedTest)
#include "tst_distributed.moc"
