// Files that are no workspace, damaged ones, older and newer ones, full disks, and a second program.
#include "store/connection.h"
#include "store/filecheck.h"
#include "store/migrations.h"
#include "store/tokenwriter.h"
#include "support/cputimer.h"
#include "storetest.h"

#include <QFile>
#include <csignal>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

using namespace lens;
using namespace lens::test;

namespace {

QByteArray contents(const QString &path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray("<unreadable>");
}

void write(const QString &path, const QByteArray &bytes)
{
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(bytes), bytes.size());
}

void execute(const std::string &path, const char *sql)
{
    SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(sql);
}

/// A workspace of some hundred pages.
QByteArray goodFile(const QString &path)
{
    const auto workspace = must(Workspace::open(path.toStdString()));
    const Scene scene(*workspace);
    const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
    must(workspace->generations().finish(id, {}, someTokens(2000)));
    std::vector<std::byte> noise(300000);
    std::mt19937 random(1);
    for (std::byte &byte : noise)
        byte = std::byte(random());
    must(workspace->settings().putBlob(noise, "noise"));
    return contents(path);
}

/// Fills the workspace until a write fails, and returns that error.
Error fillUp(Workspace &workspace, RowId generation, std::int64_t &stored)
{
    std::mt19937 random(5);
    for (int i = 0; i < 10000; ++i) {
        StoredToken token = someToken(i);
        for (int n = 0; n < 4000; ++n)
            token.text += char('a' + random() % 26);
        const auto appended = workspace.generations().append(generation, std::vector{token});
        if (!appended)
            return appended.error();
        ++stored;
    }
    return {};
}

} // namespace

class TestStoreFiles : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }

    void badFilesAreRefusedAndKept_data()
    {
        QTest::addColumn<QString>("kind");
        QTest::addColumn<QString>("code");
        for (const auto &[kind, code] : {std::pair{"empty", ErrorCode::Truncated},
                                         {"text", ErrorCode::Malformed},
                                         {"short text", ErrorCode::Malformed},
                                         {"zeros", ErrorCode::Malformed},
                                         {"half header", ErrorCode::Truncated},
                                         {"half", ErrorCode::Truncated},
                                         {"one byte short", ErrorCode::Truncated},
                                         {"garbage pages", ErrorCode::Malformed},
                                         {"zeroed pages", ErrorCode::Malformed},
                                         {"another program's", ErrorCode::Unsupported},
                                         {"newer", ErrorCode::NewerVersion},
                                         {"stray wal", ErrorCode::Malformed},
                                         {"folder", ErrorCode::Io}})
            QTest::newRow(kind) << kind << name(code);
    }

    void badFilesAreRefusedAndKept()
    {
        QFETCH(QString, kind);
        QFETCH(QString, code);
        makeBad(kind);
        const QByteArray before = contents(file());
        for (const bool readOnly : {false, true}) {
            lens::test::CpuTimer timer;
            timer.start();
            const auto opened = Workspace::open(path(), {readOnly});
            QVERIFY(!opened);
            QCOMPARE(QString(name(opened.error().code)), code);
            QVERIFY(!opened.error().where.empty() && !opened.error().advice.empty());
            QVERIFY(timer.elapsed() < 1000);
            QVERIFY(contents(file()) == before);
        }
    }

    void everyDamagedPageIsAnErrorOrHarmless()
    {
        const QByteArray good = goodFile(file());
        for (qsizetype page = 0; page < good.size() / 4096; page += 3) {
            QByteArray bad = good;
            std::mt19937 random(static_cast<unsigned>(page));
            for (int i = page == 0 ? 100 : 0; i < 4096; ++i)
                bad[page * 4096 + i] = static_cast<char>(random());
            write(file(), bad);
            const auto opened = Workspace::open(path());
            if (!opened)
                continue;
            const auto faults = (*opened)->check();
            const auto tokens = (*opened)->generations().tokens(1);
            static_cast<void>((*opened)->search().find("word1"));
            static_cast<void>((*opened)->sessions().content(1));
            if (faults && faults->empty())
                QVERIFY(tokens && *tokens == someTokens(2000));
        }
    }

    void missingFileIsNotMadeUnasked()
    {
        VERIFY_FAILS(Workspace::open(path(), {true}), ErrorCode::NotFound);
        VERIFY_FAILS(Workspace::open(path(), {false, false}), ErrorCode::NotFound);
        VERIFY_FAILS(Workspace::open(path() + "/no/such/folder"), ErrorCode::Io);
        QCOMPARE(QDir(m_folder->path()).entryList(QDir::Files).size(), 0);
    }

    void journalWithoutItsFileIsNotReplayed()
    {
        for (const char *suffix : {"-wal", "-journal"}) {
            write(file() + suffix, "precious");
            VERIFY_FAILS(Workspace::open(path()), ErrorCode::NotFound);
            QCOMPARE(contents(file() + suffix), QByteArray("precious"));
            QVERIFY(!QFile::exists(file()));
            QVERIFY(QFile::remove(file() + suffix));
        }
    }

    void interruptedMakingLeavesNothingInTheWay()
    {
        write(file() + ".creating", "half a file");
        VERIFY_OK(Workspace::open(path()));
        QVERIFY(!QFile::exists(file() + ".creating"));
    }

    void unwritableFileOpensForReadingOnly()
    {
        goodFile(file());
        QVERIFY(::chmod(path().c_str(), 0444) == 0 && ::chmod(m_folder->path().toUtf8(), 0555) == 0);
        const bool root = ::geteuid() == 0;
        if (root)
            QVERIFY(::seteuid(65534) == 0); // root may write anything
        const auto writing = Workspace::open(path());
        const auto reading = Workspace::open(path(), {true});
        if (root)
            QVERIFY(::seteuid(0) == 0);
        ::chmod(m_folder->path().toUtf8(), 0755);
        VERIFY_FAILS(writing, ErrorCode::Io);
        VERIFY_OK(reading);
        VERIFY_FAILS((*reading)->settings().setValue("a", "b"), ErrorCode::Io);
        QCOMPARE(must((*reading)->check()), std::vector<std::string>());
    }

    void secondProgramIsToldWhoHasIt()
    {
        auto first = must(Workspace::open(path()));
        const auto second = Workspace::open(path());
        VERIFY_FAILS(second, ErrorCode::Busy);
        QVERIFY(QString::fromStdString(second.error().what).contains(QString::number(::getpid())));
        const Scene scene(*first);
        const auto reader = must(Workspace::open(path(), {true}));
        QCOMPARE(must(reader->sessions().get(scene.session)).title, std::string("A session"));
        VERIFY_FAILS(reader->sessions().rename(scene.session, "x"), ErrorCode::Io);
        VERIFY_OK(first->sessions().rename(scene.session, "Renamed"));
        QCOMPARE(must(reader->sessions().get(scene.session)).title, std::string("Renamed"));
        QVERIFY(::symlink(path().c_str(), (path() + "2").c_str()) == 0);
        VERIFY_FAILS(Workspace::open(path() + "2"), ErrorCode::Busy);
        first.reset();
        VERIFY_OK(Workspace::open(path()));
    }

    void lockedByAnotherProgram()
    {
        const auto workspace = must(Workspace::open(path()));
        const Scene scene(*workspace);
        SQLite::Database other(path(), SQLite::OPEN_READWRITE);
        other.exec("BEGIN EXCLUSIVE");
        VERIFY_FAILS(workspace->settings().setValue("a", "b"), ErrorCode::Busy);
        other.exec("ROLLBACK");
        VERIFY_OK(workspace->settings().setValue("a", "b"));
    }

    void fullWorkspaceKeepsWhatItHas()
    {
        auto workspace = must(Workspace::open(path(), {false, true, 600000}));
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        std::int64_t stored = 0;
        QCOMPARE(QString(name(fillUp(*workspace, id, stored).code)), QString("io"));
        verifyAfterFull(*workspace, id, stored);
    }

    void fullDiskKeepsWhatItHas()
    {
        auto workspace = must(Workspace::open(path()));
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        const auto previous = std::signal(SIGXFSZ, SIG_IGN);
        rlimit limit{};
        QVERIFY(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
        rlimit small = limit;
        small.rlim_cur = 600000;
        QVERIFY(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        std::int64_t stored = 0;
        const Error error = fillUp(*workspace, id, stored);
        TokenWriter writer(workspace->generations(), id);
        StoredToken large;
        large.text = std::string(1 << 20, 'x');
        static_cast<void>(writer.append(large));
        const bool flushed = bool(writer.flush());
        ::setrlimit(RLIMIT_FSIZE, &limit);
        std::signal(SIGXFSZ, previous);
        QCOMPARE(QString(name(error.code)), QString("io"));
        QVERIFY(!flushed);
        QCOMPARE(writer.waiting(), size_t(1));
        VERIFY_OK(writer.flush());
        verifyAfterFull(*workspace, id, stored + 1);
    }

    void everyMigrationFromTheFirstVersion()
    {
        const QByteArray packed = contents(SUPRALENS_TEST_DATA "/store/v1.db.zst");
        QByteArray plain(qsizetype(ZSTD_getFrameContentSize(packed.constData(), size_t(packed.size()))), '\0');
        QCOMPARE(ZSTD_decompress(plain.data(), size_t(plain.size()), packed.constData(), size_t(packed.size())),
                 size_t(plain.size()));
        write(file(), plain);
        const auto workspace = must(Workspace::open(path()));
        QCOMPARE(workspace->schemaVersion(), currentSchemaVersion());
        const auto sessions = must(workspace->sessions().list({}));
        QCOMPARE(sessions.size(), size_t(1));
        QCOMPARE(sessions[0].session.title, std::string("From the first version"));
        const SessionContent content = must(workspace->sessions().content(sessions[0].session.id));
        QCOMPARE(content.turns.size(), size_t(1));
        QCOMPARE(content.generations.size(), size_t(1));
        QVERIFY(content.generations[0].options == someOptions());
        QVERIFY(must(workspace->generations().tokens(content.generations[0].id)) == someTokens(50));
        QCOMPARE(must(workspace->search().find("word42")).size(), size_t(1));
        QCOMPARE(must(workspace->check()), std::vector<std::string>());
    }

    void migrationsAreNumberedAndAtomic()
    {
        int expected = 0;
        for (const Migration &step : migrations())
            QCOMPARE(step.version, ++expected);

        const std::vector<Migration> good{{1, "CREATE TABLE a (x)"},
                                          {2, "ALTER TABLE a ADD y; INSERT INTO a VALUES (1, 2)"}};
        std::vector<Migration> bad = good;
        bad.push_back({3, "CREATE TABLE b (x); INSERT INTO missing VALUES (1)"});
        auto connection = must(Connection::open(path(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
        VERIFY_OK(migrate(*connection, std::span(good).first(1)));
        QVERIFY(!migrate(*connection, bad));
        QCOMPARE(must(schemaVersion(*connection)), 1);
        VERIFY_OK(migrate(*connection, good));
        VERIFY_OK(migrate(*connection, good));
        QCOMPARE(must(schemaVersion(*connection)), 2);
        QCOMPARE(connection->database().execAndGet("SELECT count(y) FROM a").getInt(), 1);
        VERIFY_FAILS(migrate(*connection, std::span(good).first(1)), ErrorCode::NewerVersion);
    }

    void checkFindsWhatIsMissing()
    {
        goodFile(file());
        execute(path(), "PRAGMA foreign_keys = OFF; DELETE FROM token_batches; UPDATE generations SET column_id = 99; "
                        "UPDATE generation_prompts SET data = x'00'");
        const auto workspace = must(Workspace::open(path()));
        QVERIFY(must(workspace->check()).size() >= 3);
    }

private:
    QString file() const { return m_folder->filePath("test.db"); }
    std::string path() const { return file().toStdString(); }

    void makeBad(const QString &kind)
    {
        if (kind == "folder") {
            QVERIFY(QDir().mkpath(file()));
            return;
        }
        const QByteArray good = goodFile(file());
        QVERIFY(good.size() > 100 * 4096);
        QByteArray bad = good;
        if (kind == "empty")
            bad.clear();
        else if (kind == "text")
            bad = QByteArray("Dear diary, ").repeated(1000);
        else if (kind == "short text")
            bad = "Hi";
        else if (kind == "zeros")
            bad.fill('\0');
        else if (kind == "half header")
            bad.truncate(50);
        else if (kind == "half")
            bad.truncate(good.size() / 2);
        else if (kind == "one byte short")
            bad.chop(1);
        else if (kind == "garbage pages")
            std::fill(bad.begin() + 4096, bad.begin() + 20 * 4096, char(0xa5));
        else if (kind == "zeroed pages")
            std::fill(bad.begin() + 4096, bad.begin() + 20 * 4096, char(0));
        write(file(), bad);
        if (kind == "another program's") {
            QFile::remove(file());
            execute(path(), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
        } else if (kind == "newer") {
            execute(path(), "PRAGMA user_version = 9999");
        } else if (kind == "stray wal") {
            write(file() + "-wal", "not mine");
        }
    }

    /// Nothing that was stored is lost, and with room again everything goes on.
    void verifyAfterFull(Workspace &workspace, RowId id, std::int64_t stored)
    {
        QVERIFY(stored > 10);
        QCOMPARE(must(workspace.generations().get(id)).tokens, stored);
        QCOMPARE(std::int64_t(must(workspace.generations().tokens(id)).size()), stored);
        QCOMPARE(must(workspace.check()), std::vector<std::string>());
    }

    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_GUILESS_MAIN(TestStoreFiles)
#include "tst_storefiles.moc"
