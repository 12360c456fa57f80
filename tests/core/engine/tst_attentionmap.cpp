#include "engine/attentionmath.h"
#include "fakemodel.h"

#include <QtTest>

#include <cmath>

using namespace lens;

namespace {

LoadedModelPtr model(std::vector<bool> layers)
{
    return fake::loaded(std::make_shared<fake::Model>(std::move(layers)));
}

const std::vector<TokenId> text = {1, 2, 3, 4, 5};

} // namespace

class TestAttentionMap : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void rowsAreScaled();
    void statisticsOfKnownRows();
    void distancesOfKnownMatrices();
    void mapHoldsEveryLayerInItsOwnTerms();
    void errorsBetweenMaps();
    void limitKeepsMatricesSmall();
    void wrongInputIsRefused();
    void canBeCancelled();
};

void TestAttentionMap::rowsAreScaled()
{
    const Matrix original{3, 3, {2, 0, 0, 1, -3, 0, 0, 0, 0}};
    Matrix matrix = original;
    scaleRows(matrix, RowScaling::None);
    QCOMPARE(matrix.values, original.values);
    scaleRows(matrix, RowScaling::AbsoluteSum);
    QCOMPARE(matrix.values, (std::vector<float>{1, 0, 0, 0.25f, -0.75f, 0, 0, 0, 0}));
    matrix = original;
    scaleRows(matrix, RowScaling::SumMagnitude);
    QCOMPARE(matrix.values, (std::vector<float>{1, 0, 0, 0.5f, -1.5f, 0, 0, 0, 0}));
}

void TestAttentionMap::statisticsOfKnownRows()
{
    // Row 0 looks at itself; row 1 half at each, with signs; row 2 at nothing.
    const std::vector<float> matrix = {1, 0, 0, -2, 2, 0, 0, 0, 0};
    const RowStatistics statistics = rowStatistics(matrix, 3);
    QCOMPARE(statistics.meanDistance, 0.25f);  // (0 + 0.5) / 2
    QCOMPARE(statistics.entropy, 0.5f);        // (0 + 1) / 2
    QVERIFY(std::isnan(rowStatistics(std::vector<float>(4, 0.0f), 2).entropy));
}

void TestAttentionMap::distancesOfKnownMatrices()
{
    const Matrix a{1, 2, {3, 4}}, same{1, 2, {3, 4}}, twice{1, 2, {6, 8}}, across{1, 2, {-4, 3}}, zero{1, 2, {0, 0}};
    QCOMPARE(matrixDistance(a, same).frobenius, 0.0f);
    QVERIFY(std::abs(matrixDistance(a, same).cosine) < 1e-6f);
    QCOMPARE(matrixDistance(a, twice).frobenius, 1.0f);
    QVERIFY(std::abs(matrixDistance(a, twice).cosine) < 1e-6f);
    QCOMPARE(matrixDistance(a, across).cosine, 1.0f);
    QVERIFY(std::isnan(matrixDistance(zero, a).frobenius));
    QVERIFY(std::isnan(matrixDistance(a, zero).cosine));
    QCOMPARE(matrixDistance(a, zero).frobenius, 1.0f);
}

void TestAttentionMap::mapHoldsEveryLayerInItsOwnTerms()
{
    std::vector<std::uint64_t> progress;
    const auto map = AttentionMap::measure(*model({true, false, true}), text, {},
                                           [&](const Progress &p) { progress.push_back(p.done); });
    QVERIFY2(map, map ? "" : toString(map.error()).c_str());
    QCOMPARE((*map)->tokens(), 5);
    QCOMPARE((*map)->layers(), 3);
    QCOMPARE((*map)->heads(), 2);
    QCOMPARE(progress, (std::vector<std::uint64_t>{1, 2, 3}));
    QCOMPARE((*map)->head(2, 1, RowScaling::None).mixer, std::string("supra"));
    QCOMPARE((*map)->head(2, 1, RowScaling::None).weights.at(4, 2), 3.0f);
    QCOMPARE((*map)->head(2, 1, RowScaling::None).weights.at(2, 4), 0.0f);
    QCOMPARE((*map)->head(2, 1, RowScaling::AbsoluteSum).weights.at(4, 2), 0.2f);
    QCOMPARE((*map)->head(1, 0, RowScaling::AbsoluteSum).weights.at(4, 2), 2.0f);  // softmax: never rescaled
    QVERIFY((*map)->head(7, 0, RowScaling::None).weights.empty());
    QVERIFY(std::abs((*map)->summary().meanDistance[0] - 1.0f) < 1e-6f);  // uniform rows: mean of i / 2
    QVERIFY(std::isnan((*map)->summary().zeroFeatures[2]));
}

void TestAttentionMap::errorsBetweenMaps()
{
    const auto one = *AttentionMap::measure(*model({true, true}), text);
    const auto errors = one->errors(*one, RowScaling::AbsoluteSum);
    QCOMPARE(errors->frobenius, (std::vector<float>{0, 0, 0, 0}));
    const auto deeper = *AttentionMap::measure(*model({true, true, true}), text);
    QVERIFY(one->errors(*deeper, RowScaling::None)->frobenius.empty());
    const auto shorter = *AttentionMap::measure(*model({true, true}), std::span(text).first(3));
    QVERIFY(one->errors(*shorter, RowScaling::None).error().code == ErrorCode::Mismatch);
}

void TestAttentionMap::limitKeepsMatricesSmall()
{
    ModelInfo info;
    info.layerCount = 30;
    info.heads = 9;
    QCOMPARE(attentionLimit(info), 498);
    const auto big = std::make_shared<fake::Model>(std::vector<bool>{true});
    const auto loaded = fake::loaded(big);
    ModelInfo wide = loaded->info();
    wide.heads = 2'000'000;
    QCOMPARE(attentionLimit(wide), 5);
}

void TestAttentionMap::wrongInputIsRefused()
{
    QVERIFY(AttentionMap::measure(*model({true}), {}).error().code == ErrorCode::InvalidArgument);
    QVERIFY(AttentionMap::measure(*model({true}), std::vector<TokenId>{64}).error().code == ErrorCode::InvalidArgument);
}

void TestAttentionMap::canBeCancelled()
{
    std::stop_source stop;
    const auto map = AttentionMap::measure(*model({true, true, true}), text, stop.get_token(), [&](const Progress &progress) {
        QVERIFY(progress.done < 2);
        stop.request_stop();
    });
    QVERIFY(map.error().code == ErrorCode::Cancelled);
}

QTEST_GUILESS_MAIN(TestAttentionMap)
#include "tst_attentionmap.moc"
