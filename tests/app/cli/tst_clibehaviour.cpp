// What scripts rely on when things do not go well: exit statuses, one line of error, Ctrl-C, a closed pipe.
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

} // namespace

class CliBehaviourTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void wrongUsage_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("nothing") << QStringList{};
        QTest::newRow("unknown command") << QStringList{"frobnicate"};
        QTest::newRow("unknown option") << QStringList{"info", softmax, "--frobnicate"};
        QTest::newRow("no model") << QStringList{"info"};
        QTest::newRow("one model to compare") << QStringList{"compare", softmax, "--prompt", "a"};
        QTest::newRow("no prompt") << QStringList{"generate", softmax};
        QTest::newRow("prompt and ids") << QStringList{"generate", softmax, "--prompt", "a", "--ids", "b"};
        QTest::newRow("bad number") << QStringList{"generate", softmax, "--prompt", "a", "--max-tokens", "many"};
        QTest::newRow("bad dtype") << QStringList{"info", softmax, "--dtype", "float7"};
        QTest::newRow("bad device") << QStringList{"info", softmax, "--device", "toaster"};
        QTest::newRow("bad tensor") << QStringList{"dump",      softmax,       "--text", "a",
                                                   "--tensors", "logits,soul", "--out",  "x"};
        QTest::newRow("bad mode") << QStringList{"dump",   softmax, "--text", "a",      "--tensors",
                                                 "logits", "--out", "x",      "--mode", "chunked:0"};
        QTest::newRow("bad target") << QStringList{"convert", softmax, "--to", "mamba", "--out", "x"};
        QTest::newRow("bad extension") << QStringList{"probe", softmax, "--text", "a", "--out", "x.txt"};
        QTest::newRow("workspace alone") << QStringList{"workspace", "x.db"};
        QTest::newRow("system without chat") << QStringList{"generate", softmax, "--prompt", "a", "--system", "b"};
    }

    void wrongUsage()
    {
        QFETCH(QStringList, arguments);
        const CliResult run = runCli(arguments);
        QVERIFY2(run.status == 2, run.text());
        QVERIFY2(run.isOneLine() && run.out.isEmpty(), run.text());
    }

    void failure_data()
    {
        QTest::addColumn<QStringList>("arguments");
        const QString folder = m_folder.path();
        write(folder + "/empty.gguf", "");
        write(folder + "/half.gguf", "GGUF\x03");
        write(folder + "/page.safetensors", "<!DOCTYPE html><html>");
        write(folder + "/ids.json", "[[1,2],[3]]");
        write(folder + "/far.json", "[[1,100000]]");
        write(folder + "/word.json", "[[\"a\"]]");
        write(folder + "/text.db", "this is no database, but it is long enough to be looked at by SQLite");
        const auto row = [](const char *name, const QStringList &arguments) { QTest::newRow(name) << arguments; };
        row("no such model", {"info", folder + "/none"});
        row("no such name", {"info", "no-such-model-anywhere"});
        row("empty file", {"info", folder + "/empty.gguf"});
        row("cut file", {"generate", folder + "/half.gguf", "--prompt", "a"});
        row("web page", {"info", folder + "/page.safetensors"});
        row("unequal rows", {"generate", softmax, "--ids", folder + "/ids.json"});
        row("id out of range", {"generate", softmax, "--ids", folder + "/far.json"});
        row("id out of range in dump",
            {"dump", softmax, "--ids", folder + "/far.json", "--tensors", "logits", "--out", folder + "/o"});
        row("ids that are words", {"generate", softmax, "--ids", folder + "/word.json"});
        row("no such ids", {"generate", softmax, "--ids", folder + "/none.json"});
        row("no tokenizer", {"generate", modelPath("supra_h6"), "--prompt", "a"});
        row("no template", {"generate", softmax, "--prompt", "a", "--chat"});
        row("only states of softmax", {"dump", softmax, "--text", "a", "--tensors", "state", "--out", folder + "/o"});
        row("unwritable", {"dump", softmax, "--text", "a", "--tensors", "logits", "--out", folder + "/none/o"});
        row("converting what is linear", {"convert", modelPath("supra_h6"), "--to", "supra", "--out", folder + "/o"});
        row("bad conversion", {"info", softmax + "@nonsense"});
        row("no GPU", {"info", softmax + "@supra", "--device", "cuda:77"});
        row("no such workspace", {"workspace", folder + "/none.db", "list"});
        row("no database", {"workspace", folder + "/text.db", "list"});
        row("workspace that is none",
            {"compare", softmax, softmax, "--prompt", "a", "--workspace", folder + "/text.db"});
        row("import of nonsense", {"workspace", folder + "/new.db", "import", folder + "/ids.json"});
        row("report nowhere", {"compare", softmax, softmax, "--prompt", "a", "--max-tokens", "1", "--json", "--report",
                               folder + "/none/r.html"});
    }

    void failure()
    {
        QFETCH(QStringList, arguments);
        const CliResult run = runCli(arguments);
        QVERIFY2(run.status == 1, run.text());
        QVERIFY2(run.isOneLine(), run.text());
        QVERIFY2(run.err.startsWith("supralens-cli: "), run.text());
    }

    /// Ctrl-C keeps what was generated until then.
    void interrupt()
    {
        QProcess process;
        process.start(QStringLiteral(SUPRALENS_CLI), {"generate", softmax, "--prompt", "a", "--max-tokens", "100000000",
                                                      "--ignore-eos", "--temperature", "1"});
        QVERIFY(process.waitForReadyRead(60000));
        const qint64 pid = process.processId();
        ::kill(static_cast<pid_t>(pid), SIGINT);
        QElapsedTimer clock;
        clock.start();
        QVERIFY(process.waitForFinished(10000));
        QVERIFY2(clock.elapsed() < 2000, qPrintable(QString::number(clock.elapsed())));
        QCOMPARE(process.exitStatus(), QProcess::NormalExit);
        QCOMPARE(process.exitCode(), 130);
        QVERIFY(process.readAllStandardOutput().size() > 1);
        QVERIFY(process.readAllStandardError().contains("cancelled"));
    }

    void interruptWithJson()
    {
        QProcess process;
        const QString file = m_folder.filePath("interrupted.db");
        process.start(QStringLiteral(SUPRALENS_CLI),
                      {"compare", softmax, softmax + "@supra", "--prompt", "a", "--max-tokens", "100000000",
                       "--ignore-eos", "--json", "--temperature", "1", "--workspace", file});
        QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(file), 60000);
        QTest::qWait(1500);
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(20000));
        QCOMPARE(process.exitCode(), 130);
        const QJsonObject document = QJsonDocument::fromJson(process.readAllStandardOutput()).object();
        QVERIFY(document["cancelled"].toBool());
        QVERIFY(!document["turns"][0]["columns"][0]["ids"].toArray().isEmpty());
        QCOMPARE(runCli({"workspace", file, "check"}).status, 0);
    }

    /// `supralens-cli ... | head -c 1` must neither complain nor go on for ever.
    void closedPipe()
    {
        const QString script = QStringLiteral("'%1' generate '%2' --prompt a --max-tokens 100000000 --ignore-eos "
                                              "--temperature 1 | head -c 1 >/dev/null; "
                                              "echo ${PIPESTATUS[0]}")
                                   .arg(QStringLiteral(SUPRALENS_CLI), softmax);
        QProcess process;
        process.start("bash", {"-c", script});
        QVERIFY(process.waitForFinished(60000));
        QCOMPARE(process.readAllStandardOutput().trimmed(), QByteArray("0"));
        QVERIFY(!process.readAllStandardError().contains("supralens-cli:"));
    }

    void fullDisk()
    {
        if (!QFile::exists("/dev/full"))
            QSKIP("there is no /dev/full");
        QProcess process;
        process.start("bash",
                      {"-c", QStringLiteral("'%1' info '%2' > /dev/full").arg(QStringLiteral(SUPRALENS_CLI), softmax)});
        QVERIFY(process.waitForFinished(60000));
        QCOMPARE(process.exitCode(), 1);
        QCOMPARE(process.readAllStandardError().count('\n'), 1);
    }

    /// Bytes that are no UTF-8, from the user or from the model, never spoil the JSON.
    void jsonIsUtf8()
    {
        const QString file = m_folder.filePath("bytes.txt");
        write(file, "a\xFF\xC3 b\xED\xA0\x80");
        const CliResult run = runCli({"tokenize", softmax, "--file", file, "--json"});
        QVERIFY2(run.status == 0, run.text());
        QVERIFY(!run.json().isEmpty());
        QVERIFY(QString::fromUtf8(run.out).toUtf8() == run.out);
    }

    /// Nothing but results on stdout, and no progress where nobody watches.
    void quietWithoutTerminal()
    {
        const CliResult run = runCli({"generate", softmax, "--prompt", "a", "--max-tokens", "2", "--json"});
        QCOMPARE(run.status, 0);
        QVERIFY(!run.json().isEmpty());
        QVERIFY2(!run.err.contains('\r') && !run.err.contains('\033'), run.text());
    }

private:
    QTemporaryDir m_folder;
};

QTEST_GUILESS_MAIN(CliBehaviourTest)
#include "tst_clibehaviour.moc"
