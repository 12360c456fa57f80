#include "engine/snapshots.h"
#include "fakemodel.h"

#include <QtTest>

#include <numeric>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;
using Whole = SnapshotStore::Whole;

Ids firstIds(std::size_t count)
{
    Ids ids(count);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

ModelState state(const Ids &ids)
{
    ModelState result = fake::Model({true, false}).initialState(1);
    static_cast<fake::TokenCache &>(result.layer(1)).tokensSeen.assign(ids.begin(), ids.end());
    result.advance(static_cast<std::int64_t>(ids.size()));
    return result;
}

const Logits someLogits = std::make_shared<const std::vector<float>>(4, 1.0f);

std::vector<std::size_t> lengthsFound(SnapshotStore &store, std::size_t longest)
{
    std::vector<std::size_t> lengths;
    for (std::size_t length = 1; length <= longest; ++length)
        if (const Snapshot *found = store.best(firstIds(length), Whole::Any); found && found->ids.size() == length)
            lengths.push_back(length);
    return lengths;
}

} // namespace

class TestSnapshots : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void longestCommonBeginningWins();
    void wholePromptNeedsLogits();
    void copiesShareNothing();
    void budgetHoldsAndThinsEvenly();
    void lastingOnesOutliveTheOthers();
    void tooLargeStatesAreNotKept();
};

void TestSnapshots::longestCommonBeginningWins()
{
    SnapshotStore store(1 << 20);
    for (const std::size_t length : {3u, 10u, 6u})
        store.add(firstIds(length), state(firstIds(length)), {}, false);
    QCOMPARE(store.best(firstIds(8), Whole::Any)->ids.size(), std::size_t(6));
    QCOMPARE(store.best(firstIds(50), Whole::Any)->ids.size(), std::size_t(10));
    Ids other = firstIds(8);
    other[4] = 99;
    QCOMPARE(store.best(other, Whole::Any)->ids.size(), std::size_t(3));
    other[0] = 99;
    QVERIFY(!store.best(other, Whole::Any));
}

void TestSnapshots::wholePromptNeedsLogits()
{
    SnapshotStore store(1 << 20);
    store.add(firstIds(5), state(firstIds(5)), {}, false);
    QVERIFY(!store.best(firstIds(5), Whole::WithLogits));
    QVERIFY(store.best(firstIds(5), Whole::Any));
    QVERIFY(store.best(firstIds(6), Whole::WithLogits));
    store.add(firstIds(5), state(firstIds(5)), someLogits, true);
    QCOMPARE(store.size(), std::size_t(1));
    QVERIFY(store.best(firstIds(5), Whole::WithLogits)->logits == someLogits);
}

void TestSnapshots::copiesShareNothing()
{
    SnapshotStore store(1 << 20);
    ModelState original = state(firstIds(4));
    store.add(firstIds(4), original, {}, false);
    static_cast<fake::HashState &>(original.layer(0)).hash.fill_(7);
    const Snapshot *kept = store.best(firstIds(4), Whole::Any);
    QCOMPARE(static_cast<const fake::HashState &>(kept->state.layer(0)).value(), 0u);
}

void TestSnapshots::budgetHoldsAndThinsEvenly()
{
    SnapshotStore store(12 * 1024);
    for (std::size_t length = 16; length <= 1024; length += 16)
        store.add(firstIds(length), state(firstIds(length)), {}, false);
    QVERIFY(store.bytes() <= 12 * 1024 + 1024 * 12 + 8);
    const auto lengths = lengthsFound(store, 1024);
    QVERIFY(lengths.size() >= 1);
    QCOMPARE(lengths.back(), std::size_t(1024));

    // With room for about half of them, the gaps that arise stay small.
    SnapshotStore roomy(220 * 1024);
    for (std::size_t length = 16; length <= 1024; length += 16)
        roomy.add(firstIds(length), state(firstIds(length)), {}, false);
    QVERIFY(roomy.bytes() <= 220 * 1024);
    const auto kept = lengthsFound(roomy, 1024);
    QVERIFY(kept.size() > 20 && kept.size() < 64);
    for (std::size_t i = 1; i < kept.size(); ++i)
        QVERIFY(kept[i] - kept[i - 1] <= 128);
}

void TestSnapshots::lastingOnesOutliveTheOthers()
{
    SnapshotStore store(30 * 1024);
    store.add(firstIds(100), state(firstIds(100)), {}, true);
    for (std::size_t length = 200; length <= 900; length += 20)
        store.add(firstIds(length), state(firstIds(length)), {}, false);
    const auto lengths = lengthsFound(store, 900);
    QCOMPARE(lengths.front(), std::size_t(100));
    QCOMPARE(lengths.back(), std::size_t(900));
}

void TestSnapshots::tooLargeStatesAreNotKept()
{
    SnapshotStore store(100);
    store.add(firstIds(50), state(firstIds(50)), {}, true);
    QCOMPARE(store.size(), std::size_t(0));
    store.add({}, state({}), {}, true);
    QCOMPARE(store.size(), std::size_t(0));
    store.add(firstIds(3), state(firstIds(3)), {}, true);
    QCOMPARE(store.size(), std::size_t(1));
    store.clear();
    QCOMPARE(store.bytes(), 0u);
}

QTEST_GUILESS_MAIN(TestSnapshots)
#include "tst_snapshots.moc"
