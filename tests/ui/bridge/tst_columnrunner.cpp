#include "bridge/columnrunner.h"
#include "ui/support/fakeengine.h"

#include <QElapsedTimer>
#include <QSignalSpy>
#include <QTest>

using namespace lens;

class TestColumnRunner : public QObject {
    Q_OBJECT

private:
    LoadedModelPtr model(FakeEngine &engine) { return *engine.load("/models/demo.gguf", {}, {}, {}); }

    GenerationRequest request()
    {
        GenerationRequest request;
        request.messages = {{Role::User, "fox"}};
        return request;
    }

private Q_SLOTS:
    void tokensComeInBatchesBeforeTheEnd()
    {
        FakeEngine engine;
        engine.pause = std::chrono::milliseconds(3);
        ColumnRunner runner(engine);
        runner.setModel(model(engine));
        std::size_t tokens = 0;
        int batches = 0;
        connect(&runner, &ColumnRunner::tokens, this, [&](quint64, const std::vector<TokenEvent> &events) {
            tokens += events.size();
            ++batches;
        });
        QSignalSpy finished(&runner, &ColumnRunner::finished);
        runner.start(request());
        QTRY_COMPARE(finished.size(), 1);
        QCOMPARE(tokens, std::size_t(31));
        QVERIFY2(batches > 1 && batches < 12, qPrintable(QString::number(batches)));
        QVERIFY(!runner.isRunning());
    }

    void stopsWithin200ms()
    {
        FakeEngine engine;
        engine.pause = std::chrono::milliseconds(50);
        ColumnRunner runner(engine);
        runner.setModel(model(engine));
        QSignalSpy finished(&runner, &ColumnRunner::finished);
        runner.start(request());
        QTest::qWait(120);
        QElapsedTimer timer;
        timer.start();
        runner.stop();
        QTRY_COMPARE(finished.size(), 1);
        QVERIFY(timer.elapsed() < 200);
    }

    void anEarlyStopIsNotLost()
    {
        FakeEngine engine;
        engine.pause = std::chrono::milliseconds(50);
        ColumnRunner runner(engine);
        runner.setModel(model(engine));
        int tokens = 0;
        connect(&runner, &ColumnRunner::tokens, this, [&] { ++tokens; });
        QSignalSpy finished(&runner, &ColumnRunner::finished);
        runner.start(request());
        runner.stop();
        QTRY_COMPARE(finished.size(), 1);
        QCOMPARE(tokens, 0);
    }

    void aNewRequestEndsTheOld()
    {
        FakeEngine engine;
        engine.pause = std::chrono::milliseconds(20);
        ColumnRunner runner(engine);
        runner.setModel(model(engine));
        QSignalSpy finished(&runner, &ColumnRunner::finished);
        runner.start(request());
        QTest::qWait(60);
        const quint64 second = runner.start(request());
        QTRY_COMPARE(finished.size(), 2);
        QCOMPARE(finished[1][0].toULongLong(), second);
    }

    void withoutAModelItFails()
    {
        FakeEngine engine;
        ColumnRunner runner(engine);
        QSignalSpy failed(&runner, &ColumnRunner::failed);
        runner.start(request());
        QTRY_COMPARE(failed.size(), 1);
    }
};

QTEST_MAIN(TestColumnRunner)
#include "tst_columnrunner.moc"
