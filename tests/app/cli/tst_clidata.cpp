// The commands that make training data: a tokenizer, and text sampled from a model.
#include "cliprocess.h"

#include <QTemporaryDir>

#include <csignal>

using namespace lens::test;

namespace {

const QString softmax = modelPath("gguf_f16");

void write(const QString &path, const QByteArray &content)
{
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(content);
}

QByteArray read(const QString &path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// The samples of a file by their index.
QMap<int, QJsonObject> samples(const QString &path)
{
    QMap<int, QJsonObject> result;
    for (const QByteArray &line : read(path).split('\n')) {
        const QJsonObject sample = QJsonDocument::fromJson(line).object();
        if (!sample.isEmpty())
            result.insert(sample["index"].toInt(), sample);
    }
    return result;
}

} // namespace

class CliDataTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }

    void trainsATokenizer()
    {
        write(path("a.txt"), QByteArray("The cat found the red ball.\nThe dog lost it.\n<|endoftext|>\n").repeated(50));
        write(path("b.jsonl"), "{\"text\": \"Once upon a time there was a cat.\"}\n");
        const CliResult run = runCli({"train-tokenizer", "--data", path("a.txt"), path("b.jsonl"), "--vocab", "300", "--out",
                                      path("t.model"), "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["vocabulary"].toInt(), 300);
        const CliResult again = runCli({"train-tokenizer", "--data", path("a.txt"), path("b.jsonl"), "--vocab", "300", "--out",
                                        path("u.model")});
        QVERIFY2(again.status == 0 && again.err.isEmpty(), again.text());
        QCOMPARE(read(path("t.model")), read(path("u.model")));
        const CliResult ids = runCli({"tokenize", path("t.model"), "--text", "The cat \xf0\x9f\xa6\x8a", "--no-bos",
                                       "--json"});
        QVERIFY2(ids.status == 0, ids.text());
        QCOMPARE(ids.json()["text"].toString().toUtf8(), QByteArray("The cat \xf0\x9f\xa6\x8a"));
    }

    void refusesToTrain()
    {
        write(path("a.txt"), "abc");
        write(path("cut.txt.gz"), "\x1f\x8b");
        for (const QStringList &data : {QStringList{path("none")}, {path("a.txt")}, {path("cut.txt.gz")}}) {
            const CliResult run =
                runCli(QStringList{"train-tokenizer", "--vocab", "5000", "--out", path("t.model"), "--data"} + data);
            QVERIFY2(run.status == 1 && run.isOneLine(), run.text());
            QVERIFY(!QFile::exists(path("t.model")));
        }
        QCOMPARE(runCli({"train-tokenizer", "--data", path("a.txt"), "--out", path("t.model")}).status, 2);
    }

    void samples()
    {
        write(path("prompts.txt"), "Once upon\n\na time there was\nThe\n");
        const CliResult run = sample({"--count", "7", "--batch", "3", "--temperature", "0.5:1.5", "--json"}, "a.jsonl");
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["samples"].toInt(), 7);
        const auto made = ::samples(path("a.jsonl"));
        QCOMPARE(made.size(), 7);
        QCOMPARE(made[4]["prompt"].toString(), QString("a time there was"));
        for (const QJsonObject &one : made) {
            QVERIFY(one["temperature"].toDouble() >= 0.5 && one["temperature"].toDouble() <= 1.5);
            QVERIFY(one["text"].toString().contains(one["prompt"].toString()));
            QVERIFY(one["tokens"].toInt() > 0 && one["tokens"].toInt() <= 12);
            QVERIFY(one["ids"].toArray().size() > one["tokens"].toInt());
        }
        // Another batch size, another name that is gzipped: the same texts.
        QCOMPARE(sample({"--count", "7", "--batch", "64", "--temperature", "0.5:1.5"}, "b.jsonl").status, 0);
        QCOMPARE(::samples(path("b.jsonl")), made);
    }

    void oneSampleIsWhatGenerateGives()
    {
        write(path("prompts.txt"), "Once upon a time\n");
        QCOMPARE(sample({"--temperature", "0.9"}, "a.jsonl").status, 0);
        const QJsonObject one = ::samples(path("a.jsonl"))[0];
        const CliResult run = runCli({"generate", softmax, "--prompt", "Once upon a time", "--max-tokens", "12", "--temperature",
                                      "0.9", "--seed", QString::number(one["seed"].toInteger()), "--json", "--dtype", "float32"});
        QVERIFY2(run.status == 0, run.text());
        QJsonArray ids = run.json()["prompt_ids"].toArray();
        for (const QJsonValue &id : run.json()["ids"].toArray())
            ids.append(id);
        QCOMPARE(one["ids"].toArray(), ids);
    }

    void resumes()
    {
        write(path("prompts.txt"), "Once\nupon a\n");
        QCOMPARE(sample({"--count", "6", "--batch", "2"}, "whole.jsonl").status, 0);
        const auto whole = ::samples(path("whole.jsonl"));
        const QByteArray content = read(path("whole.jsonl"));
        for (const auto size : {qsizetype(0), content.size() / 3, content.size() - 1}) {
            write(path("cut.jsonl"), content.left(size));
            QVERIFY(sample({"--count", "6", "--batch", "2"}, "cut.jsonl").status == 1);
            const CliResult run = sample({"--count", "6", "--batch", "2", "--resume"}, "cut.jsonl");
            QVERIFY2(run.status == 0, run.text());
            QCOMPARE(::samples(path("cut.jsonl")), whole);
            QCOMPARE(read(path("cut.jsonl")).count('\n'), 6);
        }
        // More of them later; but not with another seed.
        QCOMPARE(sample({"--count", "8", "--resume"}, "cut.jsonl").status, 0);
        QCOMPARE(::samples(path("cut.jsonl")).size(), 8);
        const CliResult other = sample({"--count", "9", "--resume", "--seed", "8"}, "cut.jsonl");
        QVERIFY2(other.status == 1 && other.err.contains("seed"), other.text());
    }

    void interrupted()
    {
        write(path("prompts.txt"), "Once\n");
        QProcess process;
        process.start(QStringLiteral(SUPRALENS_CLI), arguments({"--count", "100000", "--batch", "4"}, "a.jsonl.gz"));
        while (process.state() != QProcess::NotRunning && QFile(path("a.jsonl.gz")).size() < 1000)
            QTest::qWait(20);
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(20000));
        QCOMPARE(process.exitCode(), 130);
        QVERIFY(QFile(path("a.jsonl.gz")).size() >= 1000);
    }

    void refusesToSample()
    {
        write(path("prompts.txt"), "Once\n");
        write(path("empty.txt"), "\n\n");
        write(path("there.jsonl"), "{}\n");
        const auto failsWith = [&](const QStringList &more, const QString &out, int status) {
            const CliResult run = sample(more, out);
            if (run.status != status || !run.isOneLine())
                qWarning("%s", run.text().constData());
            return run.status == status && run.isOneLine();
        };
        QVERIFY(failsWith({"--temperature", "hot"}, "a.jsonl", 2));
        QVERIFY(failsWith({"--temperature", "2:1"}, "a.jsonl", 2));
        QVERIFY(failsWith({"--prompt", "both"}, "a.jsonl", 2));
        QVERIFY(failsWith({"--system", "without chat"}, "a.jsonl", 2));
        QVERIFY(failsWith({}, "there.jsonl", 1));
        QVERIFY(failsWith({"--resume"}, "there.jsonl", 1));
        QCOMPARE(read(path("there.jsonl")), QByteArray("{}\n"));
        QVERIFY(failsWith({"--chat"}, "a.jsonl", 1));
        write(path("prompts.txt"), "\n");
        QVERIFY(failsWith({}, "b.jsonl", 1));
        QVERIFY(!QFile::exists(path("b.jsonl")));
    }

private:
    QString path(const QString &name) const { return m_folder->filePath(name); }

    QStringList arguments(const QStringList &more, const QString &out) const
    {
        return QStringList{"sample", softmax, "--prompts", path("prompts.txt"), "--max-tokens", "12", "--dtype",
                           "float32", "--out", path(out)} + more;
    }

    CliResult sample(const QStringList &more, const QString &out) const { return runCli(arguments(more, out)); }

    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_GUILESS_MAIN(CliDataTest)
#include "tst_clidata.moc"
