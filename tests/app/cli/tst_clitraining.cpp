// Training from the command line into a workspace: what the window would list.
#include "store/workspace.h"
#include "trainingfolder.h"

#include <csignal>

using namespace lens;
using namespace lens::test;

class CliTrainingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aRunIsInTheWorkspace()
    {
        const CliResult run = runCli(arguments("first", 6) + workspace("first.db"));
        QVERIFY2(run.status == 0, run.text());
        const Stored stored = read("first.db");
        QCOMPARE(stored.runs.size(), std::size_t(1));
        const TrainingRunRow &row = stored.runs[0];
        QCOMPARE(row.name, std::string("first"));
        QCOMPARE(row.folder, path("first").toStdString());
        QCOMPARE(int(row.status), int(TrainingStatus::Finished));
        QCOMPARE(row.totalSteps, std::int64_t(6));
        QVERIFY(row.perplexity > 0 && !row.fingerprint.empty());
        QVERIFY(row.recipe.find(path("stories.txt").toStdString()) != std::string::npos);
        QCOMPARE(stored.metrics.steps.size(), std::size_t(6));
        QCOMPARE(stored.metrics.evaluations.size(), std::size_t(4)); // 0, 2, 4, 6
        QCOMPARE(stored.metrics.layers.size(), std::size_t(4));
        QCOMPARE(stored.metrics.samples.size(), std::size_t(3)); // 0, 3, 6
        compareWithLog("first", stored.metrics);
    }

    void runsAreListed()
    {
        const CliResult run = runCli(arguments("listed", 6) + workspace("listed.db"));
        QVERIFY2(run.status == 0, run.text());
        const CliResult list = runCli({"workspace", path("listed.db"), "runs", "--json"});
        QVERIFY2(list.status == 0, list.text());
        const QJsonArray runs = list.json()["runs"].toArray();
        QCOMPARE(runs.size(), 1);
        QCOMPARE(runs[0].toObject()["folder"].toString(), path("listed"));
        QCOMPARE(runs[0].toObject()["status"].toString(), "finished");
        QCOMPARE(runs[0].toObject()["steps"].toInt(), 6);
        QVERIFY(runs[0].toObject()["perplexity"].toDouble() > 1);
        const CliResult table = runCli({"workspace", path("listed.db"), "runs"});
        QVERIFY2(table.status == 0 && table.out.contains("6/6") && table.out.contains("finished"), table.text());
    }

    void aKilledRunGoesOnAsTheSame()
    {
        QProcess process;
        process.start(QStringLiteral(SUPRALENS_CLI), arguments("killed", 4000) + workspace("killed.db"));
        QVERIFY(QTest::qWaitFor([this] { return newestCheckpoint("killed") > 100; }, 60000));
        QTest::qWait(2000); // the workspace is written to twice a second, however fast the steps are
        process.kill();
        QVERIFY(process.waitForFinished());
        const Stored cut = read("killed.db");
        QCOMPARE(cut.runs.size(), std::size_t(1));
        QCOMPARE(int(cut.runs[0].status), int(TrainingStatus::Interrupted));
        QVERIFY(!cut.metrics.steps.empty());
        QProcess again;
        again.start(QStringLiteral(SUPRALENS_CLI), arguments("killed", 4000) + workspace("killed.db") + QStringList{"--resume"});
        const std::int64_t before = newestCheckpoint("killed");
        QVERIFY(QTest::qWaitFor([this, before] { return newestCheckpoint("killed") > before + 10; }, 60000));
        ::kill(pid_t(again.processId()), SIGINT);
        QVERIFY(again.waitForFinished(60000));
        QCOMPARE(again.exitCode(), 130);
        const Stored stored = read("killed.db");
        QCOMPARE(stored.runs.size(), std::size_t(1));
        QCOMPARE(int(stored.runs[0].status), int(TrainingStatus::Stopped));
        for (std::size_t i = 0; i < stored.metrics.steps.size(); ++i)
            QCOMPARE(stored.metrics.steps[i].step, std::int64_t(i + 1));
        QVERIFY(stored.metrics.steps.back().step > before);
        compareWithLog("killed", stored.metrics);
    }

    void aRunWithoutAWorkspaceIsTakenOver()
    {
        QVERIFY(runCli(arguments("late", 6)).status == 0);
        const CliResult run = runCli(arguments("late", 6) + workspace("late.db") + QStringList{"--resume"});
        QVERIFY2(run.status == 0, run.text());
        const Stored stored = read("late.db");
        QCOMPARE(stored.runs.size(), std::size_t(1));
        QCOMPARE(int(stored.runs[0].status), int(TrainingStatus::Finished));
        QCOMPARE(stored.metrics.evaluations.size(), std::size_t(4));
        compareWithLog("late", stored.metrics);
    }

    void relativePathsMayBeResumedFromAnywhere()
    {
        QProcess first;
        first.setWorkingDirectory(m_folder.path());
        QStringList relative = arguments("moved", 6);
        relative.replaceInStrings(path("stories.txt"), QStringLiteral("stories.txt"));
        first.start(QStringLiteral(SUPRALENS_CLI), relative + workspace("moved.db"));
        QVERIFY(first.waitForFinished(60000));
        QCOMPARE(first.exitCode(), 0);
        const CliResult run = runCli(arguments("moved", 6) + workspace("moved.db") + QStringList{"--resume"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(read("moved.db").runs.size(), std::size_t(1));
    }

    void aRunKeepsAbsolutePaths()
    {
        QProcess first;
        first.setWorkingDirectory(m_folder.path());
        QStringList relative = arguments("plain", 2);
        relative.replaceInStrings(path("stories.txt"), QStringLiteral("stories.txt"));
        relative.replaceInStrings(path("config.json"), QStringLiteral("config.json"));
        relative.replaceInStrings(path("plain"), QStringLiteral("plain"));
        first.start(QStringLiteral(SUPRALENS_CLI), relative);
        QVERIFY(first.waitForFinished(60000));
        QCOMPARE(first.exitCode(), 0);
        const QJsonObject recipe = recipeOf("plain");
        QCOMPARE(recipe["scratch"].toString(), path("config.json"));
        QCOMPARE(recipe["data"].toObject()["files"].toArray()[0].toString(), path("stories.txt"));
        const CliResult again = runCli({"uptrain", "--recipe", path("plain/recipe.json"), "--resume"});
        QVERIFY2(again.status == 0, again.text());
    }

    void optionsOfAStageChangeThatOfTheRecipe()
    {
        QVERIFY(runCli(arguments("stage", 2) + QStringList{"--lr", "2e-3", "--warmup", "1"}).status == 0);
        const QStringList like{"uptrain", "--recipe", path("stage/recipe.json"), "--out", path("changed")};
        const CliResult run = runCli(like + QStringList{"--lr", "1e-3", "--steps", "3"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonArray stages = recipeOf("changed")["stages"].toArray();
        QCOMPARE(stages.size(), 1);
        const QJsonObject stage = stages[0].toObject();
        QCOMPARE(stage["learning_rate"].toDouble(), 1e-3);
        QCOMPARE(stage["steps"].toInt(), 3);
        QCOMPARE(stage["warmup"].toInt(), 1);
    }

    void optionsOfAStageNeedASingleOne()
    {
        QStringList two = arguments("two", 2);
        two.remove(two.indexOf("--steps"), 2);
        two << "--stage" << "cross-entropy:steps=2" << "--stage" << "cross-entropy:steps=3" << "--lr" << "1e-3";
        const CliResult run = runCli(two);
        QCOMPARE(run.status, 1);
        QVERIFY2(run.isOneLine() && run.err.contains("--lr") && run.err.contains("2 stages"), run.text());
        const CliResult decay = runCli(arguments("two", 2) + QStringList{"--decay", "retnet"});
        QCOMPARE(decay.status, 2);
        QVERIFY2(decay.err.contains("--decay") && decay.err.contains("--to"), decay.text());
        QVERIFY(!QFile::exists(path("two")));
    }

    void whatFailsBeforeAStepIsNotEntered()
    {
        const CliResult run = runCli(arguments("first", 6) + workspace("none.db"));
        QCOMPARE(run.status, 1);
        QVERIFY2(run.err.contains("resume it"), run.text());
        QVERIFY(read("none.db").runs.empty());
    }

    void aMissingTextLeavesTheFolderFree()
    {
        QStringList wrong = arguments("free", 6);
        wrong.replaceInStrings("stories.txt", "storeys.txt");
        const CliResult failed = runCli(wrong);
        QCOMPARE(failed.status, 1);
        QVERIFY2(failed.err.contains("storeys.txt"), failed.text());
        const CliResult run = runCli(arguments("free", 6));
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(runCli(arguments("free", 6)).status, 1);
    }

    void aWorkspaceInUseIsRefusedAtOnce()
    {
        const auto held = Workspace::open(path("held.db").toStdString());
        QVERIFY(held.has_value());
        const CliResult run = runCli(arguments("held", 6) + workspace("held.db"));
        QCOMPARE(run.status, 1);
        QVERIFY2(run.isOneLine(), run.text());
        QVERIFY(!QFile::exists(path("held")));
    }

private:
    struct Stored {
        std::vector<TrainingRunRow> runs;
        TrainingMetrics metrics; ///< of the first
    };

    QString path(const QString &name) const { return m_folder.path(name); }
    QStringList workspace(const QString &name) const { return {"--workspace", path(name)}; }

    QJsonObject recipeOf(const QString &out) const { return readJsonFile(path(out) + "/recipe.json"); }

    std::int64_t newestCheckpoint(const QString &out) const
    {
        const QStringList names = QDir(path(out) + "/checkpoints").entryList({"step-*"}, QDir::Dirs, QDir::Name);
        return names.isEmpty() ? 0 : names.last().mid(5).toLongLong();
    }

    QStringList arguments(const QString &out, int steps) const
    {
        return QStringList{"uptrain", "--steps", QString::number(steps), "--evaluate-every", steps > 100 ? "50" : "2",
                           "--sample-every", "3", "--sample-prompt", "Once", "--sample-tokens", "4", "--checkpoint-every", "10",
                           "--out", path(out)}
               + m_folder.fromScratch() + m_folder.data();
    }

    /// Opening it marks what was left running as interrupted, as the window does.
    Stored read(const QString &name) const
    {
        Stored stored;
        const auto workspace = Workspace::open(path(name).toStdString());
        if (!workspace)
            throw std::runtime_error(toString(workspace.error()));
        stored.runs = (*workspace)->training().list().value();
        if (!stored.runs.empty())
            stored.metrics = (*workspace)->training().metrics(stored.runs[0].id).value();
        return stored;
    }

    void compareWithLog(const QString &out, const TrainingMetrics &metrics) const
    {
        QFile file(path(out) + "/log.jsonl");
        QVERIFY(file.open(QIODevice::ReadOnly));
        std::map<QString, std::size_t> counted;
        while (!file.atEnd()) {
            const QJsonObject line = QJsonDocument::fromJson(file.readLine()).object();
            const QString kind = line["kind"].toString();
            const std::size_t i = counted[kind]++;
            if (kind == "step") {
                QVERIFY(i < metrics.steps.size());
                QCOMPARE(metrics.steps[i].step, std::int64_t(line["step"].toInt()));
                QCOMPARE(metrics.steps[i].loss, line["loss"].toDouble());
                QCOMPARE(metrics.steps[i].gradientNorm, line["gradient_norm"].toDouble());
            } else if (kind == "evaluation") {
                QVERIFY(i < metrics.evaluations.size());
                QCOMPARE(metrics.evaluations[i].perplexity, line["perplexity"].toDouble());
            } else if (kind == "sample") {
                QVERIFY(i < metrics.samples.size());
                QCOMPARE(QString::fromStdString(metrics.samples[i].text), line["text"].toString());
            }
        }
        QCOMPARE(metrics.steps.size(), counted["step"]);
        QCOMPARE(metrics.evaluations.size(), counted["evaluation"]);
        QCOMPARE(metrics.layers.size(), counted["layers"]);
        QCOMPARE(metrics.samples.size(), counted["sample"]);
    }

    TrainingFolder m_folder;
};

QTEST_GUILESS_MAIN(CliTrainingTest)
#include "tst_clitraining.moc"
