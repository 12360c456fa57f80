// Two store threads on one file, as two windows are.
#include "bridge/sessionlistmodel.h"
#include "store/lockfile.h"

#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

namespace {

QByteArray bytesOf(const QString &path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray("unreadable");
}

Result<RowId> createSession(Workspace &workspace)
{
    return workspace.sessions().create("fox story", {}, {});
}

} // namespace

class TestStoreThread : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_path = m_folder->filePath("w.supralens");
    }

    void whatAnotherWritesIsOnlyRead()
    {
        auto first = std::make_unique<StoreThread>();
        first->open(m_path);
        first->run<RowId>(createSession);
        first->wait();
        const QByteArray before = bytesOf(m_path);
        StoreThread second;
        SessionListModel sessions(second);
        QSignalSpy opened(&second, &StoreThread::opened);
        QVERIFY(second.access() == Access::None);
        second.open(m_path);
        QTRY_COMPARE(opened.size(), 1);
        QVERIFY(second.access() == Access::Reading);
        QVERIFY(opened[0][2].toBool());
        QTRY_COMPARE(sessions.rowCount(), 1);
        QVERIFY(!(sessions.flags(sessions.index(0)) & Qt::ItemIsEditable));
        std::optional<Error> refused;
        second.run<RowId>(createSession, [&refused](const Result<RowId> &row) {
            if (!row)
                refused = row.error();
        });
        QTRY_VERIFY(refused);
        QVERIFY(refused->code == ErrorCode::Io);
        second.openAgain();
        QTRY_COMPARE(opened.size(), 2);
        QVERIFY(second.access() == Access::Reading);
        QCOMPARE(bytesOf(m_path), before);
        // What was written meanwhile is found, and from now on this one writes.
        first->run<RowId>(createSession);
        first.reset();
        second.openAgain();
        QTRY_COMPARE(opened.size(), 3);
        QVERIFY(second.access() == Access::Writing);
        QTRY_COMPARE(sessions.rowCount(), 2);
        QVERIFY(sessions.flags(sessions.index(0)) & Qt::ItemIsEditable);
        second.run<RowId>(createSession);
        sessions.refresh();
        QTRY_COMPARE(sessions.rowCount(), 3);
    }

    /// Its own lock must not be taken for another's.
    void whatIsWrittenStaysOpenForWriting()
    {
        StoreThread store;
        QSignalSpy opened(&store, &StoreThread::opened);
        store.open(m_path);
        store.openAgain();
        store.run<RowId>(createSession);
        store.wait();
        QTRY_COMPARE(opened.size(), 1);
        QTest::qWait(20);
        QCOMPARE(opened.size(), 1);
        QVERIFY(store.access() == Access::Writing);
    }

    /// As when two windows are started for the first time, and the other one has not made the file yet.
    void whatIsInUseAndUnreadableCanBeTriedAgain()
    {
        auto lock = LockFile::acquire(m_path.toStdString() + ".lock");
        QVERIFY(lock);
        StoreThread store;
        std::optional<Error> error;
        connect(&store, &StoreThread::failed, this, [&error](const Error &failed) { error = failed; });
        store.open(m_path);
        QTRY_VERIFY(error);
        QVERIFY(error->code == ErrorCode::Busy);
        QVERIFY(store.access() == Access::None);
        QVERIFY(!QFile::exists(m_path));
        lock->reset();
        store.openAgain();
        QTRY_VERIFY(store.access() == Access::Writing);
    }

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    QString m_path;
};

QTEST_MAIN(TestStoreThread)
#include "tst_storethread.moc"
