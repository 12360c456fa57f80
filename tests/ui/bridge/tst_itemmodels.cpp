#include "bridge/modellistmodel.h"
#include "bridge/sessionlistmodel.h"
#include "bridge/sessionrecorder.h"
#include "ui/support/fakeengine.h"

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

class TestItemModels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void modelsComeAndGo()
    {
        FakeEngine engine;
        ModelLibrary library(engine);
        ModelListModel model(library);
        const QAbstractItemModelTester tester(&model);
        const quint64 demo = library.add("/models/demo.gguf");
        QCOMPARE(library.add("/models/demo.gguf"), demo);
        const quint64 bundled = library.add("/models/bundled.gguf", true);
        QCOMPARE(model.rowCount(), 2);
        QTRY_COMPARE(model.indexOf(demo).data(ModelListModel::MixerRole).toString(), QString("softmax"));
        QCOMPARE(library.remembered(), QStringList{"/models/demo.gguf"});
        library.load(demo);
        QTRY_VERIFY(library.entry(demo)->model);
        QCOMPARE(library.loadedCount(), 1);
        QVERIFY(library.loadedBytes() > 0);
        library.unload(demo);
        QCOMPARE(library.loadedCount(), 0);
        library.remove(demo);
        QCOMPARE(model.rowCount(), 1);
        QCOMPARE(model.index(0).data(ModelListModel::IdRole).toULongLong(), bundled);
    }

    void loadingCanBeCancelled()
    {
        FakeEngine engine;
        engine.loading = std::chrono::seconds(20);
        ModelLibrary library(engine);
        QSignalSpy failed(&library, &ModelLibrary::loadFailed);
        const quint64 demo = library.add("/models/demo.gguf");
        library.load(demo);
        QVERIFY(library.entry(demo)->state == ModelEntry::State::Loading);
        library.cancel(demo);
        QTRY_COMPARE(failed.size(), 1);
        QVERIFY(library.entry(demo)->state == ModelEntry::State::Listed);
        QVERIFY(!library.entry(demo)->error);
    }

    void aConversionWaitsForItsSource()
    {
        FakeEngine engine;
        ModelLibrary library(engine);
        const quint64 demo = library.add("/models/demo.gguf");
        const quint64 converted = library.convert(demo, {});
        QTRY_VERIFY(library.entry(converted)->model);
        QVERIFY(library.entry(demo)->model);
        QVERIFY(library.entry(converted)->info->untrained);
        QCOMPARE(library.convert(demo, {}), converted);
    }

    void aConversionFailsWithItsSource()
    {
        FakeEngine engine;
        engine.failsToLoad = "/models/broken.gguf";
        ModelLibrary library(engine);
        const quint64 broken = library.add("/models/broken.gguf");
        const quint64 converted = library.convert(broken, {});
        QTRY_VERIFY(library.entry(converted)->state == ModelEntry::State::Failed);
        QVERIFY(library.entry(converted)->error->code == ErrorCode::Truncated);
    }

    void sessionsAreListedRenamedAndDeleted()
    {
        QTemporaryDir folder;
        StoreThread store;
        SessionListModel model(store);
        const QAbstractItemModelTester tester(&model);
        store.open(folder.filePath("w.supralens"));
        SessionRecorder recorder(store);
        RowId first = 0;
        for (const QString &title : {QString("fox story"), QString("decay sweep")}) {
            TurnRequest request;
            request.title = title;
            request.prompt = title + " please";
            request.columns = {{0, fakeInfo("demo", "softmax"), {}}, {0, {}, {}}};
            bool done = false;
            recorder.commitTurn(request, [&](const Result<TurnRows> &rows) {
                QVERIFY2(rows.has_value(), rows ? "" : toString(rows.error()).c_str());
                if (first == 0)
                    first = rows->session;
                done = true;
            });
            QTRY_VERIFY(done);
        }
        model.refresh();
        QTRY_COMPARE(model.rowCount(), 2);
        QVERIFY(model.index(0).data(SessionListModel::DetailRole).toString().contains("demo"));
        model.setSearch("swee");
        QTRY_COMPARE(model.rowCount(), 1);
        QCOMPARE(model.index(0).data().toString(), QString("decay sweep"));
        model.setSearch({});
        QTRY_COMPARE(model.rowCount(), 2);
        QVERIFY(model.setData(model.indexOf(first), "a new name", Qt::EditRole));
        QVERIFY(!model.setData(model.indexOf(first), "  ", Qt::EditRole));
        model.remove(first);
        QTRY_COMPARE(model.rowCount(), 1);
        model.undoRemove();
        QTRY_COMPARE(model.rowCount(), 2);
        QCOMPARE(model.indexOf(first).data().toString(), QString("a new name"));
    }

    void aBrokenWorkspaceIsReported()
    {
        QTemporaryDir folder;
        QFile file(folder.filePath("w.supralens"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray(5000, 'x'));
        file.close();
        StoreThread store;
        QSignalSpy failed(&store, &StoreThread::failed);
        store.open(file.fileName());
        QTRY_COMPARE(failed.size(), 1);
    }
};

QTEST_MAIN(TestItemModels)
#include "tst_itemmodels.moc"
