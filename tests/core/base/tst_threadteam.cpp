#include "base/threadteam.h"

#include <QTest>
#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <vector>

using namespace lens;

class ThreadTeamTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void doesEveryPartOnce_data()
    {
        QTest::addColumn<int>("size");
        for (const int size : {0, 1, 2, 3, 16})
            QTest::addRow("%d threads", size) << size;
    }

    void doesEveryPartOnce()
    {
        QFETCH(int, size);
        ThreadTeam team(size);
        QCOMPARE(team.size(), std::max(1, size));
        for (int round = 0; round < 300; ++round) {
            const std::int64_t parts = round % 37;
            std::vector<std::atomic<int>> done(static_cast<std::size_t>(parts));
            team.run(parts, [&](std::int64_t part) { ++done[static_cast<std::size_t>(part)]; });
            for (const std::atomic<int> &times : done)
                QCOMPARE(times.load(), 1);
        }
    }

    /// What one round writes, the next reads in whatever thread.
    void roundsSeeEachOther()
    {
        ThreadTeam team(4);
        std::vector<std::int64_t> numbers(64, 0);
        for (int round = 0; round < 5000; ++round)
            team.run(64, [&](std::int64_t part) { numbers[static_cast<std::size_t>((part + round) % 64)] += part; });
        QCOMPARE(std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0}), 5000 * 64 * 63 / 2);
    }

    void helpersHelp()
    {
        ThreadTeam team(2);
        std::atomic<int> present{0};
        // Neither can finish its part before the other has begun one.
        team.run(2, [&](std::int64_t) {
            ++present;
            while (present < 2)
                std::this_thread::yield();
        });
        QCOMPARE(present.load(), 2);
    }

    /// Parts that would be a thread's own, while it is busy with the first of them.
    void othersTakeWhatAThreadDoesNotGetTo()
    {
        ThreadTeam team(2);
        for (const std::int64_t busy : {0, 4}) {  // the first of the caller's, and of the helper's
            std::atomic<int> others{0};
            bool inTime = true;
            team.run(8, [&](std::int64_t part) {
                if (part != busy) {
                    ++others;
                    return;
                }
                const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                while (others < 7 && inTime) {
                    std::this_thread::yield();
                    inTime = std::chrono::steady_clock::now() < end;
                }
            });
            QVERIFY(inTime);
            QCOMPARE(others.load(), 7);
        }
    }

    void keepsToItsLimit()
    {
        ThreadTeam team(4);
        for (const int limit : {1, 2, 4}) {
            team.limit(limit);
            std::mutex mutex;
            std::set<std::thread::id> threads;
            for (int round = 0; round < 20; ++round)
                team.run(16, [&](std::int64_t) {
                    QTest::qSleep(1);
                    const std::lock_guard lock(mutex);
                    threads.insert(std::this_thread::get_id());
                });
            QVERIFY(static_cast<int>(threads.size()) <= limit);
        }
    }

    void wakesFromSleep()
    {
        ThreadTeam team(2);
        for (int round = 0; round < 5; ++round) {
            QTest::qSleep(20);
            std::atomic<int> done{0};
            team.run(8, [&](std::int64_t) { ++done; });
            QCOMPARE(done.load(), 8);
        }
    }

    void teamsDoNotDisturbEachOther()
    {
        std::atomic<std::int64_t> sum{0};
        std::vector<std::thread> owners;
        for (int i = 0; i < 3; ++i)
            owners.emplace_back([&] {
                ThreadTeam team(2);
                for (int round = 0; round < 500; ++round)
                    team.run(5, [&](std::int64_t part) { sum += part; });
            });
        for (std::thread &owner : owners)
            owner.join();
        QCOMPARE(sum.load(), 3 * 500 * 10);
    }
};

QTEST_GUILESS_MAIN(ThreadTeamTest)
#include "tst_threadteam.moc"
