// The losses that never hold all logits against plain autograd through them.
#include "support/tensorcheck.h"
#include "uptrain/losses.h"

#include <functional>

using namespace lens;
using namespace lens::test;

namespace {

struct Problem {
    at::Tensor hidden, weight, targets, originalHidden, originalWeight;
};

/// Logits of a model's size: what float32 loses of those beyond 20 is as large as the tolerance on some processors.
Problem makeProblem(std::int64_t tokens, std::int64_t vocabulary, at::ScalarType type)
{
    at::manual_seed(13);
    Problem p{at::randn({tokens, 16}) / 4, at::randn({vocabulary, 16}), at::randint(vocabulary, {tokens}, at::kLong),
              at::randn({tokens, 12}) / 4, at::randn({vocabulary, 12})};
    p.targets.narrow(0, tokens / 3, 5).fill_(-1);
    for (at::Tensor *x : {&p.hidden, &p.weight, &p.originalHidden, &p.originalWeight})
        *x = x->to(type);
    p.hidden.requires_grad_(true);
    p.weight.requires_grad_(true);
    return p;
}

at::Tensor plainCrossEntropy(const Problem &p)
{
    return at::cross_entropy_loss(at::linear(p.hidden, p.weight).to(at::kDouble), p.targets, {}, 1, -1);
}

at::Tensor plainDistillation(const Problem &p, const DistillationMix &mix)
{
    const at::Tensor own = at::log_softmax(at::linear(p.hidden, p.weight).to(at::kDouble) / mix.temperature, -1);
    const at::Tensor wanted
        = at::log_softmax(at::linear(p.originalHidden, p.originalWeight).to(at::kDouble) / mix.temperature, -1);
    const at::Tensor kl = (wanted.exp() * (wanted - own)).sum(-1).index({p.targets >= 0}).mean();
    return kl * (mix.share * mix.temperature * mix.temperature) + plainCrossEntropy(p) * (1 - mix.share);
}

void compare(Problem p, const std::function<at::Tensor(const Problem &)> &own,
             const std::function<at::Tensor(const Problem &)> &plain, double tolerance)
{
    const at::Tensor loss = own(p);
    (loss * 0.25).backward();
    const at::Tensor dHidden = p.hidden.grad().clone(), dWeight = p.weight.grad().clone();
    p.hidden.mutable_grad().zero_();
    p.weight.mutable_grad().zero_();
    const at::Tensor expected = plain(p);
    (expected * 0.25).backward();
    QVERIFY(std::abs(loss.item<double>() - expected.item<double>()) < tolerance * expected.item<double>());
    QVERIFY(relativeError(dHidden, p.hidden.grad()) < tolerance);
    QVERIFY(relativeError(dWeight, p.weight.grad()) < tolerance);
}

} // namespace

class LossesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void crossEntropyEqualsPlain_data();
    void crossEntropyEqualsPlain();
    void distillationEqualsPlain_data();
    void distillationEqualsPlain();
    void onlyWhatIsAskedGetsGradients();
    void nothingCounts();
};

void LossesTest::crossEntropyEqualsPlain_data()
{
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("vocabulary");
    QTest::addColumn<int>("type");
    QTest::newRow("double") << 300 << 50 << int(at::kDouble);
    QTest::newRow("float32, several blocks") << 300 << 60000 << int(at::kFloat);
    QTest::newRow("bfloat16, several blocks") << 300 << 60000 << int(at::kBFloat16);
}

void LossesTest::crossEntropyEqualsPlain()
{
    QFETCH(int, tokens);
    QFETCH(int, vocabulary);
    QFETCH(int, type);
    const double tolerance = type == int(at::kDouble) ? 1e-12 : type == int(at::kFloat) ? 1e-5 : 0.02;
    compare(makeProblem(tokens, vocabulary, at::ScalarType(type)),
            [](const Problem &p) { return crossEntropy(p.hidden, p.weight, p.targets); }, plainCrossEntropy, tolerance);
}

void LossesTest::distillationEqualsPlain_data()
{
    QTest::addColumn<double>("temperature");
    QTest::addColumn<double>("share");
    QTest::newRow("divergence alone") << 1.0 << 1.0;
    QTest::newRow("soft") << 2.5 << 1.0;
    QTest::newRow("mixed") << 1.0 << 0.4;
    QTest::newRow("soft and mixed") << 3.0 << 0.7;
    QTest::newRow("cross-entropy alone") << 2.0 << 0.0;
}

void LossesTest::distillationEqualsPlain()
{
    QFETCH(double, temperature);
    QFETCH(double, share);
    const DistillationMix mix{temperature, share};
    const auto own = [&](const Problem &p) {
        return distillation(p.hidden, p.weight, p.originalHidden, p.originalWeight, p.targets, mix);
    };
    const auto plain = [&](const Problem &p) { return plainDistillation(p, mix); };
    compare(makeProblem(200, 40, at::kDouble), own, plain, 1e-12);
    compare(makeProblem(200, 60000, at::kFloat), own, plain, 1e-4);
}

void LossesTest::onlyWhatIsAskedGetsGradients()
{
    Problem p = makeProblem(30, 20, at::kFloat);
    p.weight.requires_grad_(false);
    crossEntropy(p.hidden, p.weight, p.targets).backward();
    QVERIFY(p.hidden.grad().defined() && !p.weight.grad().defined());
    p.hidden.requires_grad_(false);
    QVERIFY(!crossEntropy(p.hidden, p.weight, p.targets).requires_grad());
}

void LossesTest::nothingCounts()
{
    Problem p = makeProblem(30, 20, at::kFloat);
    p.targets.fill_(-1);
    const at::Tensor loss = crossEntropy(p.hidden, p.weight, p.targets);
    loss.backward();
    QCOMPARE(loss.item<double>(), 0.0);
    QCOMPARE(largest(p.hidden.grad()), 0.0);
}

QTEST_APPLESS_MAIN(LossesTest)
#include "tst_losses.moc"
