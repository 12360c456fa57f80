#include "engine/logprobs.h"
#include "engine/sampler.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

using namespace lens;

namespace {

std::vector<float> randomLogits(std::mt19937 &engine, std::size_t count)
{
    std::vector<float> logits(count);
    for (float &x : logits)
        x = static_cast<float>(engine() % 8000) / 1000.0f - 4.0f;
    return logits;
}

std::vector<double> softmax(const std::vector<float> &logits, double temperature)
{
    std::vector<double> p;
    const double greatest = *std::max_element(logits.begin(), logits.end());
    for (const float x : logits)
        p.push_back(std::exp((x - greatest) / temperature));
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double &x : p)
        x /= sum;
    return p;
}

std::map<TokenId, double> byId(const std::vector<Candidate> &list)
{
    std::map<TokenId, double> result;
    for (const Candidate &c : list)
        result[c.id] = c.probability;
    return result;
}

SamplingOptions at(double temperature)
{
    SamplingOptions options;
    options.temperature = temperature;
    return options;
}

} // namespace

class TestSampler : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void greedyTakesTheLowestIdAmongEquals();
    void notFiniteLogitsAreAnError();
    void penaltiesFollowTheirFormulas();
    void penaltyWindowLimitsWhatCounts();
    void biasIsAddedAndCanForbid();
    void topKKeepsTheGreatest();
    void topPIsTheSmallestSufficientSet();
    void minPComparesWithTheGreatest();
    void drawsFollowTheSoftmax();
    void drawsDependOnSeedAndPositionOnly();
    void uniformIsInRangeAndEven();
    void badOptionsAreRefused_data();
    void badOptionsAreRefused();
    void logProbabilitiesAndRanking();
};

void TestSampler::greedyTakesTheLowestIdAmongEquals()
{
    const std::vector<float> logits = {1, 5, 2, 5, 5};
    QCOMPARE(*chooseToken(logits, {}, at(0)), 1);
}

void TestSampler::notFiniteLogitsAreAnError()
{
    const std::vector<TokenId> history = {1, 2, 3};
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        for (const double temperature : {0.0, 1.0}) {
            const auto id = chooseToken(std::vector<float>{1, bad, 2}, history, at(temperature));
            QVERIFY(!id);
            QVERIFY(id.error().code == ErrorCode::Internal);
            QVERIFY(id.error().where.find("position 3") != std::string::npos);
        }
    }
}

void TestSampler::penaltiesFollowTheirFormulas()
{
    const std::vector<float> logits = {2.0f, -2.0f, 1.0f, 0.0f};
    const std::vector<TokenId> history = {0, 1, 0, 3};
    SamplingOptions options = at(1);
    options.repetitionPenalty = 1.5;
    options.frequencyPenalty = 0.25;
    options.presencePenalty = 0.5;
    const auto list = candidates(logits, history, options);
    QVERIFY(list);
    const std::vector<double> wanted = {2.0 / 1.5 - 2 * 0.25 - 0.5, -2.0 * 1.5 - 0.25 - 0.5, 1.0, -0.25 - 0.5};
    for (const Candidate &c : *list)
        QVERIFY(std::abs(c.logit - wanted[static_cast<std::size_t>(c.id)]) < 1e-9);
}

void TestSampler::penaltyWindowLimitsWhatCounts()
{
    const std::vector<float> logits = {3.0f, 2.0f, 1.0f};
    SamplingOptions options = at(0);
    options.presencePenalty = 10;
    options.penaltyWindow = 1;
    const std::vector<TokenId> history = {0, 1};
    QCOMPARE(*chooseToken(logits, history, options), 0);
    options.penaltyWindow = 2;
    QCOMPARE(*chooseToken(logits, history, options), 2);
    options.penaltyWindow = 0;
    QCOMPARE(*chooseToken(logits, history, options), 2);
}

void TestSampler::biasIsAddedAndCanForbid()
{
    const std::vector<float> logits = {3.0f, 2.0f, 1.0f};
    SamplingOptions options = at(0);
    options.logitBias = {{2, 2.5}};
    QCOMPARE(*chooseToken(logits, {}, options), 2);
    const double never = -std::numeric_limits<double>::infinity();
    options.logitBias = {{0, never}};
    QCOMPARE(*chooseToken(logits, {}, options), 1);
    options.temperature = 5;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        options.seed = seed;
        QVERIFY(*chooseToken(logits, {}, options) != 0);
    }
    options.logitBias = {{0, never}, {1, never}, {2, never}};
    QVERIFY(chooseToken(logits, {}, options).error().code == ErrorCode::InvalidArgument);
}

void TestSampler::topKKeepsTheGreatest()
{
    std::mt19937 engine(5);
    for (int round = 0; round < 100; ++round) {
        const auto logits = randomLogits(engine, 1 + engine() % 60);
        SamplingOptions options = at(0.7);
        options.topK = 1 + static_cast<int>(engine() % 80);
        const auto list = candidates(logits, {}, options);
        const std::size_t kept = std::min(static_cast<std::size_t>(options.topK), logits.size());
        QCOMPARE(list->size(), kept);
        std::set<TokenId> expected;
        for (const TokenId id : mostProbable(logits, kept))
            expected.insert(id);
        double sum = 0;
        for (const Candidate &c : *list) {
            QVERIFY(expected.contains(c.id));
            sum += c.probability;
        }
        QVERIFY(std::abs(sum - 1) < 1e-12);
    }
}

void TestSampler::topPIsTheSmallestSufficientSet()
{
    std::mt19937 engine(6);
    for (int round = 0; round < 200; ++round) {
        const auto logits = randomLogits(engine, 1 + engine() % 60);
        SamplingOptions options = at(1.3);
        options.topP = (1 + engine() % 999) / 1000.0;
        const auto list = candidates(logits, {}, options);
        const auto p = softmax(logits, 1.3);
        double share = 0;
        for (const Candidate &c : *list)
            share += p[static_cast<std::size_t>(c.id)];
        QVERIFY(share >= options.topP - 1e-9);
        const double least = p[static_cast<std::size_t>(list->back().id)];
        QVERIFY(share - least < options.topP + 1e-9);
        const auto kept = byId(*list);
        for (std::size_t id = 0; id < p.size(); ++id)
            QVERIFY(kept.contains(static_cast<TokenId>(id)) || p[id] <= least + 1e-12);
    }
}

void TestSampler::minPComparesWithTheGreatest()
{
    std::mt19937 engine(7);
    for (int round = 0; round < 100; ++round) {
        const auto logits = randomLogits(engine, 40);
        SamplingOptions options = at(0.9);
        options.minP = (1 + engine() % 900) / 1000.0;
        const auto kept = byId(*candidates(logits, {}, options));
        const auto p = softmax(logits, 0.9);
        const double greatest = *std::max_element(p.begin(), p.end());
        for (std::size_t id = 0; id < p.size(); ++id)
            if (std::abs(p[id] - options.minP * greatest) > 1e-9)
                QCOMPARE(kept.contains(static_cast<TokenId>(id)), p[id] > options.minP * greatest);
    }
}

void TestSampler::drawsFollowTheSoftmax()
{
    const std::vector<float> logits = {0.3f, -1.2f, 2.0f, 0.0f, 1.1f, -0.4f, 0.9f, 1.9f, -2.0f, 0.5f};
    constexpr int draws = 100000;
    SamplingOptions options = at(0.8);
    options.seed = 12345;
    std::vector<int> counts(logits.size());
    std::vector<TokenId> history;
    for (int i = 0; i < draws; ++i) {
        ++counts[static_cast<std::size_t>(*chooseToken(logits, history, options))];
        // A long history would make each draw slow: the position counts, so another seed does as well.
        if (history.size() == 100) {
            history.clear();
            ++options.seed;
        } else {
            history.push_back(0);
        }
    }
    const auto p = softmax(logits, 0.8);
    double chiSquare = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
        chiSquare += std::pow(counts[i] - draws * p[i], 2) / (draws * p[i]);
    QVERIFY2(chiSquare < 27.9, qPrintable(QString::number(chiSquare)));  // 9 degrees of freedom, p = 0.001
}

void TestSampler::drawsDependOnSeedAndPositionOnly()
{
    std::mt19937 engine(8);
    const auto logits = randomLogits(engine, 500);
    SamplingOptions options = at(1);
    options.seed = 7;
    const std::vector<TokenId> one = {1, 2, 3}, other = {4, 5, 6};
    QCOMPARE(*chooseToken(logits, one, options), *chooseToken(logits, other, options));
    std::set<TokenId> ids;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        options.seed = seed;
        ids.insert(*chooseToken(logits, one, options));
    }
    QVERIFY(ids.size() > 20);
}

void TestSampler::uniformIsInRangeAndEven()
{
    for (const std::uint64_t seed : {0ull, 1ull, ~0ull}) {
        double sum = 0;
        std::vector<int> bins(16);
        for (std::uint64_t i = 0; i < 16000; ++i) {
            const double u = uniformAt(seed, i);
            QVERIFY(u >= 0 && u < 1);
            sum += u;
            ++bins[static_cast<std::size_t>(u * 16)];
        }
        QVERIFY(std::abs(sum / 16000 - 0.5) < 0.01);
        for (const int bin : bins)
            QVERIFY(bin > 850 && bin < 1150);
    }
    // Written down so that a change, which would change every stored text, does not go unnoticed.
    QCOMPARE(uniformAt(0, 0), uniformAt(0, 0));
    QVERIFY(uniformAt(1, 0) != uniformAt(0, 1));
}

void TestSampler::badOptionsAreRefused_data()
{
    QTest::addColumn<int>("which");
    for (int i = 0; i < 12; ++i)
        QTest::addRow("%d", i) << i;
}

void TestSampler::badOptionsAreRefused()
{
    QFETCH(int, which);
    const double nan = std::nan("");
    SamplingOptions o;
    switch (which) {
    case 0: o.temperature = -1; break;
    case 1: o.temperature = nan; break;
    case 2: o.topK = -1; break;
    case 3: o.topP = 0; break;
    case 4: o.topP = 1.5; break;
    case 5: o.minP = -0.1; break;
    case 6: o.minP = nan; break;
    case 7: o.repetitionPenalty = 0; break;
    case 8: o.frequencyPenalty = nan; break;
    case 9: o.penaltyWindow = -1; break;
    case 10: o.logitBias = {{100, 1.0}}; break;
    case 11: o.logitBias = {{1, nan}}; break;
    }
    QVERIFY(checkSampling(SamplingOptions(), 100));
    const auto checked = checkSampling(o, 100);
    QVERIFY(!checked);
    QVERIFY(checked.error().code == ErrorCode::InvalidArgument);
    QVERIFY(!checked.error().advice.empty());
}

void TestSampler::logProbabilitiesAndRanking()
{
    QVERIFY(std::abs(logSumExp(std::vector<float>{1000, 1000}) - (1000 + std::log(2.0))) < 1e-9);
    QCOMPARE(mostProbable(std::vector<float>{1, 3, 2, 3}, 3), (std::vector<TokenId>{1, 3, 2}));
    QCOMPARE(mostProbable(std::vector<float>{1}, 5), (std::vector<TokenId>{0}));
}

QTEST_GUILESS_MAIN(TestSampler)
#include "tst_sampler.moc"
