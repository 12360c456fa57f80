// Decay slopes against the values that the papers and reference/supra.md's golden table give.
#include "mixer/decay.h"

#include <QtTest>
#include <cmath>

using namespace lens;

class DecayTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void fourHeads();
    void elevenAndTwelveHeads();
    void retNetNeverReachesOne();
    void startScalesEveryHead();
    void everyHeadCountIsADecay();
};

void DecayTest::fourHeads()
{
    const double lightning[] = {0.778801, 0.939413, 0.984496, 0.996101};
    const double retNet[] = {0.96875, 0.984375, 0.9921875, 0.99609375};
    for (int h = 0; h < 4; ++h) {
        QVERIFY(std::abs(std::exp(-decaySlopes(DecayKind::Lightning, 4)[h]) - lightning[h]) < 1e-6);
        QVERIFY(std::abs(std::exp(-decaySlopes(DecayKind::RetNet, 4)[h]) - retNet[h]) < 1e-12);
        QCOMPARE(decaySlopes(DecayKind::None, 4)[h], 0.0);
    }
}

void DecayTest::elevenAndTwelveHeads()
{
    const double expected[] = {.5, .25, .125, .0625, .03125, .015625, .0078125, .00390625, .7071, .3536, .1768, .0884};
    const std::vector<double> slopes = decaySlopes(DecayKind::Lightning, 12);
    QCOMPARE(slopes.size(), std::size_t(12));
    for (int h = 0; h < 12; ++h)
        QVERIFY(std::abs(slopes[h] - expected[h]) < 5e-5);
    QCOMPARE(decaySlopes(DecayKind::Lightning, 11), std::vector<double>(slopes.begin(), slopes.end() - 1));
}

void DecayTest::retNetNeverReachesOne()
{
    const std::vector<double> slopes = decaySlopes(DecayKind::RetNet, 32);
    for (const double slope : slopes)
        QVERIFY(slope > 0);
    QVERIFY(std::abs(slopes[31] - std::exp2(-36)) < 1e-16);
}

void DecayTest::startScalesEveryHead()
{
    const std::vector<double> slopes = decaySlopes(DecayKind::Lightning, 4, 0.35);
    for (int h = 0; h < 4; ++h)
        QVERIFY(std::abs(slopes[h] - 0.35 * std::exp2(-8.0 * h / 4)) < 1e-12);
}

void DecayTest::everyHeadCountIsADecay()
{
    for (int heads = 1; heads <= 130; ++heads)
        for (const DecayKind kind : {DecayKind::Lightning, DecayKind::RetNet, DecayKind::None}) {
            const std::vector<double> slopes = decaySlopes(kind, heads);
            QCOMPARE(slopes.size(), std::size_t(heads));
            for (const double slope : slopes)
                QVERIFY(std::isfinite(slope) && slope >= 0);
        }
}

QTEST_APPLESS_MAIN(DecayTest)
#include "tst_decay.moc"
