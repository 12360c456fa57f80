#include "fakemodel.h"

#include <QtTest>

#include <cmath>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;

Ids manyIds(std::size_t count)
{
    Ids ids;
    for (std::size_t i = 0; i < count; ++i)
        ids.push_back(static_cast<TokenId>(fake::mix(i) % 60));
    return ids;
}

LoadedModelPtr model(std::uint64_t salt, std::int64_t vocabulary = 64)
{
    auto one = std::make_shared<fake::Model>(std::vector<bool>{true, false});
    one->salt = salt;
    one->vocabulary = vocabulary;
    return fake::loaded(one);
}

/// float64 log probabilities of the whole text in one pass, [T, V].
at::Tensor logProbs(const LoadedModel &model, const Ids &ids)
{
    ModelState state = model.model()->initialState(1);
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    return at::log_softmax(model.model()->forward(at::tensor(wide, at::kLong).unsqueeze(0), state, {})[0].to(at::kDouble), -1);
}

} // namespace

class TestForced : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void agreesWithTheFormulas();
    void sameModelHasNoDivergence();
    void shortTextsGiveNothing();
    void wrongInputIsRefused();
    void canBeCancelled();
};

void TestForced::agreesWithTheFormulas()
{
    const Ids ids = manyIds(700);
    const auto first = model(1), second = model(2);
    const auto result = compareForced(*first, *second, ids);
    QVERIFY(result);
    const at::Tensor p = logProbs(*first, ids), q = logProbs(*second, ids);
    for (const auto size : {result->kl.size(), result->nllFirst.size(), result->nllSecond.size(), result->sameTop.size()})
        QCOMPARE(size, ids.size() - 1);
    for (std::size_t t = 0; t + 1 < ids.size(); ++t) {
        const auto row = static_cast<std::int64_t>(t);
        const double kl = (p[row].exp() * (p[row] - q[row])).sum().item<double>();
        QVERIFY(std::abs(result->kl[t] - kl) < 1e-4);
        QVERIFY(std::abs(result->nllFirst[t] + p[row][ids[t + 1]].item<double>()) < 1e-4);
        QVERIFY(std::abs(result->nllSecond[t] + q[row][ids[t + 1]].item<double>()) < 1e-4);
        QCOMPARE(result->sameTop[t] == 1, p[row].argmax().item<std::int64_t>() == q[row].argmax().item<std::int64_t>());
    }
}

void TestForced::sameModelHasNoDivergence()
{
    const auto one = model(3);
    const auto result = compareForced(*one, *one, manyIds(50));
    for (const float kl : result->kl)
        QCOMPARE(kl, 0.0f);
    QCOMPARE(result->nllFirst, result->nllSecond);
}

void TestForced::shortTextsGiveNothing()
{
    const auto one = model(3);
    for (const std::size_t length : {0u, 1u})
        QVERIFY(compareForced(*one, *one, manyIds(length))->kl.empty());
    QCOMPARE(compareForced(*one, *one, manyIds(2))->kl.size(), std::size_t(1));
}

void TestForced::wrongInputIsRefused()
{
    QVERIFY(compareForced(*model(1), *model(1, 65), manyIds(5)).error().code == ErrorCode::Mismatch);
    QVERIFY(compareForced(*model(1), *model(2), Ids{1, 64}).error().code == ErrorCode::InvalidArgument);
    QVERIFY(compareForced(*model(1), *model(2), Ids{1, -1}).error().code == ErrorCode::InvalidArgument);
}

void TestForced::canBeCancelled()
{
    std::stop_source stop;
    std::uint64_t done = 0;
    const auto result = compareForced(*model(1), *model(2), manyIds(2000), stop.get_token(), [&](const Progress &progress) {
        done = progress.done;
        stop.request_stop();
    });
    QVERIFY(result.error().code == ErrorCode::Cancelled);
    QVERIFY(done < 1000);
}

QTEST_GUILESS_MAIN(TestForced)
#include "tst_forced.moc"
