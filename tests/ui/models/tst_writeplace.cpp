// Where a model is written to: what is replaced, and what would be mixed up.
#include "models/writeplace.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

class TestWritePlace : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void tellsWhatIsThere_data()
    {
        QTest::addColumn<QStringList>("files");
        QTest::addColumn<int>("own");
        QTest::addColumn<int>("openLm");
        const int free = int(WritePlace::Kind::Free), replaces = int(WritePlace::Kind::Replaces),
                  taken = int(WritePlace::Kind::Taken);
        QTest::newRow("nothing") << QStringList() << free << free;
        QTest::newRow("other things") << QStringList{"notes.txt", "vocabulary.json"} << free << free;
        QTest::newRow("our own") << QStringList{"config.json", "model.safetensors"} << replaces << taken;
        QTest::newRow("open_lm") << QStringList{"epoch_0.pt", "model_config.json"} << taken << replaces;
        QTest::newRow("shards") << QStringList{"config.json", "model-00001-of-00002.safetensors"} << taken << taken;
        QTest::newRow("GGUF") << QStringList{"model.gguf"} << taken << taken;
    }

    void tellsWhatIsThere()
    {
        QFETCH(QStringList, files);
        QFETCH(int, own);
        QFETCH(int, openLm);
        QTemporaryDir folder;
        for (const QString &name : files) {
            QFile file(folder.filePath(name));
            QVERIFY(file.open(QIODevice::WriteOnly));
        }
        QCOMPARE(int(writePlace(folder.path(), SaveFormat::SupraLens).kind), own);
        QCOMPARE(int(writePlace(folder.path(), SaveFormat::OpenLm).kind), openLm);
    }

    void aFolderThatIsNotThereIsFree()
    {
        QCOMPARE(int(writePlace(QStringLiteral("/nonexistent/folder"), SaveFormat::SupraLens).kind),
                 int(WritePlace::Kind::Free));
    }
};

QTEST_GUILESS_MAIN(TestWritePlace)
#include "tst_writeplace.moc"
