#include "engine/stopstrings.h"

#include <QtTest>

#include <random>

using namespace lens;

class TestStopStrings : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void holdsBackWhatMayBecomeOne();
    void finishGivesTheRest();
    void firstToEndWins();
    void anySplitGivesTheSameText();
};

void TestStopStrings::holdsBackWhatMayBecomeOne()
{
    StopStrings filter({"\nUser:"});
    QCOMPARE(filter.push("hello\nU"), std::string("hello"));
    QCOMPARE(filter.push("pper"), std::string("\nUpper"));
    QCOMPARE(filter.push("\n"), std::string());
    QCOMPARE(filter.push("User:and more"), std::string());
    QVERIFY(filter.stopped());
    QCOMPARE(filter.push("later"), std::string());
    QCOMPARE(filter.finish(), std::string());
}

void TestStopStrings::finishGivesTheRest()
{
    StopStrings filter({"abc", ""});
    QCOMPARE(filter.push("xab"), std::string("x"));
    QCOMPARE(filter.finish(), std::string("ab"));
}

void TestStopStrings::firstToEndWins()
{
    StopStrings filter({"world", "lo w"});
    QCOMPARE(filter.push("hello world"), std::string("hel"));
    QVERIFY(filter.stopped());
}

void TestStopStrings::anySplitGivesTheSameText()
{
    std::mt19937 engine(3);
    for (int round = 0; round < 2000; ++round) {
        const auto randomText = [&](std::size_t length) {
            std::string text;
            for (std::size_t i = 0; i < length; ++i)
                text += static_cast<char>('a' + engine() % 2);
            return text;
        };
        const std::string text = randomText(engine() % 24);
        const std::vector<std::string> stops = {randomText(1 + engine() % 6), randomText(2 + engine() % 6)};
        std::pair<std::size_t, std::size_t> found{std::string::npos, std::string::npos};
        for (const std::string &stop : stops)
            if (const std::size_t at = text.find(stop); at != std::string::npos)
                found = std::min(found, {at + stop.size(), at});
        const std::size_t first = found.second;
        StopStrings filter(stops);
        std::string out;
        for (std::size_t at = 0; at < text.size() && !filter.stopped();) {
            const std::size_t length = 1 + engine() % 4;
            out += filter.push(text.substr(at, length));
            at += length;
        }
        out += filter.finish();
        QCOMPARE(filter.stopped(), first != std::string::npos);
        QCOMPARE(out, text.substr(0, first));
    }
}

QTEST_GUILESS_MAIN(TestStopStrings)
#include "tst_stopstrings.moc"
