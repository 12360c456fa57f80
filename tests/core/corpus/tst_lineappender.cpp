// Files that grow line by line and survive being cut anywhere.
#include "core/corpus/corpusfixtures.h"
#include "corpus/lineappender.h"
#include "corpus/linesource.h"

#include <QtTest>
#include <csignal>
#include <sys/resource.h>

using namespace lens;
using namespace lens::corpustest;
using Lines = std::vector<std::string>;

namespace {

Lines readAll(const std::string &file)
{
    Lines lines;
    Result<LineSource> source = LineSource::open(file);
    while (source) {
        const auto line = source->next();
        if (!line)
            qWarning("%s", toString(line.error()).c_str());
        if (!line || !*line)
            break;
        lines.push_back(**line);
    }
    return lines;
}

/// Three portions of two lines.
void writeAll(const std::string &file)
{
    auto appender = LineAppender::open(file, LineAppender::Mode::Create);
    QVERIFY(appender.has_value());
    for (int i = 0; i < 6; i += 2) {
        appender->append("line " + std::to_string(i));
        appender->append("line " + std::to_string(i + 1));
        QVERIFY(appender->sync().has_value());
    }
}

const Lines six = {"line 0", "line 1", "line 2", "line 3", "line 4", "line 5"};

} // namespace

class TestLineAppender : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void writes_data() { names(); }
    void writes();
    void cutAnywhere_data() { names(); }
    void cutAnywhere();
    void resumesNothing_data() { names(); }
    void resumesNothing();
    void keepsWhatIsThere();
    void writesTheRestAtTheEnd();
    void foreignFiles();
    void fullDisk_data() { names(); }
    void fullDisk();

private:
    void names()
    {
        QTest::addColumn<QByteArray>("name");
        QTest::newRow("plain") << QByteArray("a.jsonl");
        QTest::newRow("gzip") << QByteArray("a.jsonl.gz");
    }

    Folder m_folder;
};

void TestLineAppender::writes()
{
    QFETCH(QByteArray, name);
    const std::string file = m_folder.path("w" + name.toStdString());
    writeAll(file);
    QCOMPARE(readAll(file), six);
}

void TestLineAppender::cutAnywhere()
{
    QFETCH(QByteArray, name);
    const std::string file = m_folder.path("whole" + name.toStdString()), cut = m_folder.path("cut" + name.toStdString());
    writeAll(file);
    QFile whole(QString::fromStdString(file));
    QVERIFY(whole.open(QIODevice::ReadOnly));
    const QByteArray content = whole.readAll();
    for (qsizetype size = 0; size <= content.size(); ++size) {
        m_folder.write("cut" + name.toStdString(), content.left(size).toStdString());
        auto appender = LineAppender::open(cut, LineAppender::Mode::Resume);
        QVERIFY(appender.has_value());
        appender->append("more");
        QVERIFY(appender->sync().has_value());
        Lines lines = readAll(cut);
        QCOMPARE(lines.back(), std::string("more"));
        lines.pop_back();
        QVERIFY(lines.size() <= 6);
        QCOMPARE(lines, Lines(six.begin(), six.begin() + std::ptrdiff_t(lines.size())));
    }
    QCOMPARE(readAll(cut).size(), std::size_t(7));
}

void TestLineAppender::resumesNothing()
{
    QFETCH(QByteArray, name);
    const std::string file = m_folder.path("new" + name.toStdString());
    auto appender = LineAppender::open(file, LineAppender::Mode::Resume);
    QVERIFY(appender.has_value());
    QVERIFY(appender->sync().has_value());
    QVERIFY(readAll(file).empty());
}

void TestLineAppender::keepsWhatIsThere()
{
    const std::string file = m_folder.write("there.jsonl", "a\n");
    QCOMPARE(LineAppender::open(file, LineAppender::Mode::Create).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(readAll(file), Lines{"a"});
    QCOMPARE(LineAppender::open(m_folder.path("no/such/folder"), LineAppender::Mode::Create).error().code, ErrorCode::Io);
}

void TestLineAppender::writesTheRestAtTheEnd()
{
    const std::string file = m_folder.path("rest.jsonl.gz");
    {
        auto appender = LineAppender::open(file, LineAppender::Mode::Create);
        QVERIFY(appender.has_value());
        appender->append("a");
    }
    QCOMPARE(readAll(file), Lines{"a"});
}

void TestLineAppender::foreignFiles()
{
    const std::string content = "{\"text\": \"precious\"}\n";
    const std::string file = m_folder.write("plain.jsonl.gz", content);
    QCOMPARE(LineAppender::open(file, LineAppender::Mode::Resume).error().code, ErrorCode::Malformed);
    QFile after(QString::fromStdString(file));
    QVERIFY(after.open(QIODevice::ReadOnly));
    QCOMPARE(after.readAll().toStdString(), content);
}

void TestLineAppender::fullDisk()
{
    QFETCH(QByteArray, name);
    const std::string file = m_folder.path("full" + name.toStdString());
    auto appender = LineAppender::open(file, LineAppender::Mode::Create);
    QVERIFY(appender.has_value());
    appender->append("line 0");
    QVERIFY(appender->sync().has_value());
    const qint64 before = QFileInfo(QString::fromStdString(file)).size();
    // As on a full disk, a part is written and the rest is refused.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    QCOMPARE(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit few{static_cast<rlim_t>(before) + 3, old.rlim_max};
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &few), 0);
    appender->append("line 1");
    const auto first = appender->sync(), second = appender->flush();
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &old), 0);
    QVERIFY(!first && !second);
    QCOMPARE(first.error().code, ErrorCode::Io);
    QCOMPARE(QFileInfo(QString::fromStdString(file)).size(), before);
    appender->append("line 2");
    QVERIFY(appender->sync().has_value());
    QCOMPARE(readAll(file), (Lines{"line 0", "line 1", "line 2"}));
}

QTEST_GUILESS_MAIN(TestLineAppender)
#include "tst_lineappender.moc"
