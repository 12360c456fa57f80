// A sequence's tokens, state and logits stay together, whatever happens to a pass.
#include "engine/sequencerunner.h"
#include "fakemodel.h"

#include <QtTest>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;

const std::vector<std::vector<bool>> kinds = {{true, true}, {false, false}, {true, false}, {false, true}};

/// All that a sequence is.
struct Picture {
    Ids ids;
    NamedTensors state;
    std::vector<float> logits;

    explicit Picture(const SequenceRunner &runner)
        : ids(runner.ids().begin(), runner.ids().end())
    {
        if (runner.logits())
            logits = *runner.logits();
        for (const auto &[name, tensor] : runner.state().tensors())
            state.emplace(name, tensor.clone());
    }

    bool operator==(const Picture &other) const
    {
        const auto same = [](const auto &a, const auto &b) {
            return a.first == b.first && at::equal(a.second, b.second);
        };
        return ids == other.ids && logits == other.logits && std::ranges::equal(state, other.state, same);
    }
};

SequenceRunner started(const std::shared_ptr<const fake::Model> &model, const Ids &ids)
{
    auto runner = SequenceRunner::create(model);
    if (!runner || !runner->feed(ids, true, {}, {}))
        qFatal("the fake model does not run");
    return std::move(*runner);
}

at::Tensor onDevice(TokenId id)
{
    return at::tensor(std::vector<std::int64_t>{id}, at::kLong);
}

} // namespace

class TestSequenceRunner : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void noMemoryInTheMiddleOfAPass_data();
    void noMemoryInTheMiddleOfAPass();
    void noMemoryForATokenFedAhead();
    void stoppedInTheMiddleOfAPass();
    void aTokenFedAheadIsKept();
    void aTokenFedAheadIsTakenBack();
    void pointsOutliveTheState();
};

void TestSequenceRunner::noMemoryInTheMiddleOfAPass_data()
{
    QTest::addColumn<int>("tokens");
    QTest::newRow("one token") << 1;
    QTest::newRow("a prompt") << 20;
}

void TestSequenceRunner::noMemoryInTheMiddleOfAPass()
{
    QFETCH(int, tokens);
    const Ids more(static_cast<std::size_t>(tokens), 9);
    for (const auto &kind : kinds) {
        const auto model = std::make_shared<fake::Model>(kind);
        model->failAt = 5;
        model->lacksMemory = true;
        SequenceRunner runner = started(model, {1, 2, 3, 4, 5});
        const Picture before(runner);
        const auto failed = runner.feed(more, true, {}, {});
        QVERIFY(model->failed);
        QVERIFY(!failed && failed.error().code == ErrorCode::OutOfMemory && !failed.error().advice.empty());
        QVERIFY(Picture(runner) == before);
        QVERIFY(runner.feed(more, true, {}, {}).value() == Fed::All);

        const auto other = std::make_shared<fake::Model>(kind);
        SequenceRunner undisturbed = started(other, {1, 2, 3, 4, 5});
        QVERIFY(undisturbed.feed(more, true, {}, {}).has_value());
        QVERIFY(Picture(runner) == Picture(undisturbed));
    }
}

void TestSequenceRunner::noMemoryForATokenFedAhead()
{
    for (const auto &kind : kinds) {
        const auto model = std::make_shared<fake::Model>(kind);
        model->failAt = 3;
        model->lacksMemory = true;
        SequenceRunner runner = started(model, {1, 2, 3});
        const Picture before(runner);
        QVERIFY(runner.feedAhead(onDevice(7), {}, {}).error().code == ErrorCode::OutOfMemory);
        QVERIFY(Picture(runner) == before);
        runner.takeBack({});
        QVERIFY(Picture(runner) == before);
    }
}

void TestSequenceRunner::stoppedInTheMiddleOfAPass()
{
    for (const auto &kind : kinds) {
        const auto model = std::make_shared<fake::Model>(kind);
        SequenceRunner runner = started(model, {1, 2, 3});
        const Picture before(runner);
        model->delayPerLayer = std::chrono::milliseconds(50);
        for (const bool ahead : {false, true}) {
            std::stop_source stop;
            const std::jthread other([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
                stop.request_stop();
            });
            if (ahead)
                QVERIFY(!runner.feedAhead(onDevice(7), {}, stop.get_token()).value().defined());
            else
                QVERIFY(runner.feed(Ids{7, 8}, true, {}, stop.get_token()).value() == Fed::Stopped);
            QVERIFY(Picture(runner) == before);
        }
    }
}

void TestSequenceRunner::aTokenFedAheadIsKept()
{
    for (const auto &kind : kinds) {
        const auto model = std::make_shared<fake::Model>(kind);
        SequenceRunner runner = started(model, {1, 2, 3}), plain = started(model, {1, 2, 3});
        const Picture before(runner);
        const at::Tensor logits = runner.feedAhead(onDevice(7), {}, {}).value();
        QCOMPARE(Ids(runner.ids().begin(), runner.ids().end()), before.ids);
        QCOMPARE(*runner.logits(), before.logits);
        runner.keepAhead(7);
        QVERIFY(!runner.logits());
        runner.setLogits({logits.const_data_ptr<float>(), static_cast<std::size_t>(logits.numel())});
        QVERIFY(plain.feed(Ids{7}, true, {}, {}).has_value());
        QVERIFY(Picture(runner) == Picture(plain));
        runner.takeBack({});
        QVERIFY(Picture(runner) == Picture(plain));
    }
}

void TestSequenceRunner::aTokenFedAheadIsTakenBack()
{
    for (const auto &kind : kinds) {
        SequenceRunner runner = started(std::make_shared<fake::Model>(kind), {1, 2, 3});
        const Picture before(runner);
        QVERIFY(runner.feedAhead(onDevice(7), {}, {}).value().defined());
        QCOMPARE(runner.state().position(), std::int64_t(4));
        runner.takeBack({});
        QVERIFY(Picture(runner) == before);
        QCOMPARE(runner.state().position(), std::int64_t(3));
    }
}

/// A point shares no memory with the state that goes on.
void TestSequenceRunner::pointsOutliveTheState()
{
    const fake::Model model({true, false});
    ModelState state = model.initialState(1);
    const auto feed = [&](TokenId id) { model.forward(onDevice(id).unsqueeze(0), state, {}); };
    feed(5);
    const NamedTensors before = state.clone().tensors();
    ModelState::Point point = state.point();
    QVERIFY(point.copies[0] && !point.copies[1]);
    static_cast<fake::HashState &>(state.layer(0)).hash.fill_(0);
    feed(6);
    feed(7);
    state.goBackTo(std::move(point));
    for (const auto &[name, tensor] : state.tensors())
        QVERIFY(at::equal(tensor, before.at(name)));
}

QTEST_GUILESS_MAIN(TestSequenceRunner)
#include "tst_sequencerunner.moc"
