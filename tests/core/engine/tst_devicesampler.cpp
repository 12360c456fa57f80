// Choosing tokens with LibTorch's operators: the same tokens as the host's sampler chooses.
#include "engine/devicesampler.h"
#include "engine/logprobs.h"
#include "engine/sampler.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <map>
#include <random>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// What the host and the device make of the same logits.
struct Case {
    std::vector<float> logits;
    std::size_t usable = 0;
    Ids text;
    SamplingOptions options;
};

Result<ChosenToken> onDevice(const Case &one, std::int64_t alternatives = 0)
{
    const at::Tensor logits = at::tensor(one.logits, at::kFloat);
    DeviceSampler sampler(one.options, one.text, logits, static_cast<std::int64_t>(one.usable), alternatives);
    return sampler.read(sampler.choose(logits).report, one.text.size());
}

Result<TokenId> onHost(const Case &one)
{
    return chooseToken(std::span(one.logits).first(one.usable), one.text, one.options);
}

template <class T>
T oneOf(std::mt19937_64 &engine, const std::vector<T> &values)
{
    return values[engine() % values.size()];
}

/// Many ties when the logits are few different numbers.
std::vector<float> randomLogits(std::mt19937_64 &engine, std::size_t count)
{
    const std::uint64_t kinds = oneOf<std::uint64_t>(engine, {1, 3, 20, 8000, 1 << 23});
    const float spread = oneOf<float>(engine, {0.01f, 4, 30, 1e4f});
    std::vector<float> logits(count);
    for (float &x : logits)
        x = (static_cast<float>(engine() % kinds) / static_cast<float>(kinds) - 0.5f) * spread;
    return logits;
}

SamplingOptions randomOptions(std::mt19937_64 &engine, std::size_t vocabulary)
{
    SamplingOptions options;
    options.seed = engine();
    options.temperature = oneOf<double>(engine, {0, 0.7, 1, 1.3, 1e-3, 1e-30, 50, 1e30});
    options.topK = oneOf<int>(engine, {0, 0, 1, 2, 40, 1'000'000});
    options.topP = oneOf<double>(engine, {1, 1, 0.9, 0.5, 0.05, 1e-9, 0.999});
    options.minP = oneOf<double>(engine, {0, 0, 0.05, 0.5, 1});
    if (engine() % 2 == 0) {
        options.repetitionPenalty = oneOf<double>(engine, {1, 1.1, 2, 0.5});
        options.frequencyPenalty = oneOf<double>(engine, {0, 0.3, -0.2});
        options.presencePenalty = oneOf<double>(engine, {0, 0.5, -1});
        options.penaltyWindow = oneOf<int>(engine, {0, 1, 5, 64, std::numeric_limits<int>::max()});
    }
    for (std::uint64_t i = engine() % 3 == 0 ? engine() % 6 : 0; i > 0; --i)
        options.logitBias.emplace_back(static_cast<TokenId>(engine() % vocabulary),
                                       oneOf<double>(engine, {1.5, -2, 100, -std::numeric_limits<double>::infinity()}));
    return options;
}

Case randomCase(std::mt19937_64 &engine, std::size_t vocabulary)
{
    Case one{randomLogits(engine, vocabulary), vocabulary, {}, randomOptions(engine, vocabulary)};
    if (engine() % 4 == 0)
        one.usable = 1 + engine() % vocabulary;
    for (std::uint64_t i = engine() % 200; i > 0; --i)
        one.text.push_back(static_cast<TokenId>(engine() % std::min<std::size_t>(vocabulary, 50)));
    return one;
}

std::string described(const Case &one)
{
    const SamplingOptions &o = one.options;
    return "vocabulary " + std::to_string(one.logits.size()) + " usable " + std::to_string(one.usable) + " temperature "
           + std::to_string(o.temperature) + " k " + std::to_string(o.topK) + " p " + std::to_string(o.topP) + " min "
           + std::to_string(o.minP) + " penalties " + std::to_string(o.repetitionPenalty) + " "
           + std::to_string(o.frequencyPenalty) + " " + std::to_string(o.presencePenalty) + " window "
           + std::to_string(o.penaltyWindow) + " biases " + std::to_string(o.logitBias.size());
}

} // namespace

class TestDeviceSampler : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void choosesWhatTheHostChooses_data();
    void choosesWhatTheHostChooses();
    void wholeTexts();
    void lowestIdAmongEquals();
    void forbiddenTokensAreNotAmongTheK();
    void everyShareIsDrawn();
    void reportsTheModelsOwnDistribution();
    void errorsOfTheHost();
    void readsNothing();
};

void TestDeviceSampler::choosesWhatTheHostChooses_data()
{
    QTest::addColumn<int>("rounds");
    const std::map<int, int> roundsAt = {{1, 50}, {2, 200}, {3, 300}, {17, 600}, {300, 600}, {5000, 200}, {50000, 40}};
    for (const auto &[vocabulary, rounds] : roundsAt)
        QTest::newRow(qPrintable(QString::number(vocabulary))) << rounds;
}

void TestDeviceSampler::choosesWhatTheHostChooses()
{
    QFETCH(int, rounds);
    const auto vocabulary = QByteArray(QTest::currentDataTag()).toULongLong();
    std::mt19937_64 engine(vocabulary);
    for (int round = 0; round < rounds; ++round) {
        const Case one = randomCase(engine, vocabulary);
        const auto here = onHost(one);
        const auto there = onDevice(one);
        QCOMPARE(there.has_value(), here.has_value());
        if (here)
            QVERIFY2(there->id == *here, (described(one) + ": " + std::to_string(there->id)).c_str());
        else
            QCOMPARE(toString(there.error()), toString(here.error()));
    }
}

/// Counts and random numbers go on from token to token.
void TestDeviceSampler::wholeTexts()
{
    std::mt19937_64 engine(77);
    for (int round = 0; round < 40; ++round) {
        Case one = randomCase(engine, 60);
        one.usable = 60;
        one.options.logitBias.clear();
        const at::Tensor like = at::tensor(one.logits, at::kFloat);
        DeviceSampler sampler(one.options, one.text, like, 60, 0);
        for (int token = 0; token < 30; ++token) {
            one.logits = randomLogits(engine, 60);
            const DeviceSampler::Choice choice = sampler.choose(at::tensor(one.logits, at::kFloat));
            const auto chosen = sampler.read(choice.report, one.text.size());
            const TokenId expected = onHost(one).value();
            QVERIFY2(chosen.value().id == expected, (described(one) + " token " + std::to_string(token)).c_str());
            one.text.push_back(expected);
        }
    }
}

void TestDeviceSampler::lowestIdAmongEquals()
{
    Case one{{1, 5, 2, 5, 5}, 5, {}, {}};
    QCOMPARE(onDevice(one).value().id, 1);
    one.options.repetitionPenalty = 1.5;
    one.text = {1};
    QCOMPARE(onDevice(one).value().id, 3);
    one.options.temperature = 1;
    one.options.topK = 1;
    QCOMPARE(onDevice(one).value().id, 3);
}

/// As many as are allowed: nothing is cut, so the draw walks through them by id.
void TestDeviceSampler::forbiddenTokensAreNotAmongTheK()
{
    Case one{{0.1f, 0.5f, 0.3f, 0.9f, 0.7f}, 5, {}, {}};
    one.options.temperature = 1;
    for (const TokenId id : {1, 3})
        one.options.logitBias.emplace_back(id, -std::numeric_limits<double>::infinity());
    for (one.options.topK = 1; one.options.topK < 6; ++one.options.topK)
        for (one.options.seed = 0; one.options.seed < 100; ++one.options.seed)
            QCOMPARE(onDevice(one).value().id, onHost(one).value());
}

/// Against the softmax itself, so that an error that both samplers shared would show.
void TestDeviceSampler::everyShareIsDrawn()
{
    Case one{{0, std::log(2.0f), std::log(5.0f)}, 3, {}, {}};
    one.options.temperature = 1;
    std::array<int, 3> drawn{};
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        one.options.seed = seed;
        ++drawn[static_cast<std::size_t>(onDevice(one).value().id)];
    }
    QVERIFY(std::abs(drawn[0] - 500) < 80 && std::abs(drawn[1] - 1000) < 110 && std::abs(drawn[2] - 2500) < 130);
}

void TestDeviceSampler::reportsTheModelsOwnDistribution()
{
    std::mt19937_64 engine(5);
    for (int round = 0; round < 50; ++round) {
        const Case one = randomCase(engine, 100);
        const auto chosen = onDevice(one, 200);
        if (!chosen)
            continue;
        const double normaliser = logSumExp(one.logits);
        const auto logprob = [&](TokenId id) { return one.logits[static_cast<std::size_t>(id)] - normaliser; };
        const auto close = [](double a, double b) { return std::abs(a - b) <= 1e-5 * (1 + std::abs(b)); };
        QVERIFY(close(chosen->logprob, logprob(chosen->id)));
        const Ids ranking = mostProbable(std::span(one.logits).first(one.usable), 200);
        QCOMPARE(chosen->alternatives.size(), ranking.size());
        for (std::size_t i = 0; i < ranking.size(); ++i) {
            QCOMPARE(chosen->alternatives[i].first, ranking[i]);
            QVERIFY(close(chosen->alternatives[i].second, logprob(ranking[i])));
        }
    }
}

void TestDeviceSampler::errorsOfTheHost()
{
    for (const double temperature : {0.0, 1.0})
        for (const float bad : {infinity, -infinity, std::nanf("")}) {
            Case one{{1, 2, 3, 4, 5}, 4, {7, 7, 7}, {}};
            one.options.temperature = temperature;
            one.options.topP = 0.9;
            one.logits[4] = bad;  // beyond what may be chosen
            QVERIFY(onDevice(one).has_value());
            one.logits[3] = one.logits[1] = bad;
            const auto there = onDevice(one);
            QVERIFY(!there && there.error().code == ErrorCode::Internal);
            QCOMPARE(toString(there.error()), toString(onHost(one).error()));
            QVERIFY(there.error().what.find("id 1 ") != std::string::npos);
        }
    Case forbidden{{1, 2, 3}, 2, {}, {}};
    for (const TokenId id : {0, 1})
        forbidden.options.logitBias.emplace_back(id, -std::numeric_limits<double>::infinity());
    const auto there = onDevice(forbidden);
    QVERIFY(!there && there.error().code == ErrorCode::InvalidArgument);
    QCOMPARE(toString(there.error()), toString(onHost(forbidden).error()));
}

/// On the meta device there are no numbers: whoever read one, or made a shape of one, would throw.
void TestDeviceSampler::readsNothing()
{
    std::mt19937_64 engine(6);
    for (int round = 0; round < 200; ++round) {
        const Case one = randomCase(engine, 1 + engine() % 300);
        const at::Tensor logits = at::tensor(one.logits, at::kFloat).to(at::kMeta);
        const auto usable = static_cast<std::int64_t>(one.usable);
        DeviceSampler sampler(one.options, one.text, logits, usable, 5);
        for (int token = 0; token < 3; ++token) {
            const DeviceSampler::Choice choice = sampler.choose(logits);
            QVERIFY(choice.id.is_meta() && choice.id.scalar_type() == at::kLong && choice.report.is_meta());
            QVERIFY(choice.id.sizes() == at::IntArrayRef({1}));
            QVERIFY(choice.report.sizes() == at::IntArrayRef({4 + 2 * std::min<std::int64_t>(5, usable)}));
        }
    }
}

QTEST_GUILESS_MAIN(TestDeviceSampler)
#include "tst_devicesampler.moc"
