// Hand-written backward passes against plain autograd through the reference forms, in double precision, and against
// numeric differences.
#include "mixer/layers.h"
#include "mixer/linearautograd.h"
#include "mixer/reference/plainforms.h"
#include "mixer/rope.h"
#include "model/feedforward.h"
#include "support/tensorcheck.h"

#include <c10/core/GradMode.h>

using namespace lens;
using namespace lens::test;

namespace {

const double kExact = 1e-10;  // double precision, a few thousand additions

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors &)>;

/// Gradients of sum(weights * f(inputs)), weights fixed and random.
Tensors gradientsOf(const Function &f, const Tensors &inputs)
{
    Tensors leaves;
    for (const at::Tensor &input : inputs)
        leaves.push_back(input.detach().clone().requires_grad_(true));
    const at::Tensor y = f(leaves);
    at::manual_seed(99);
    (y * at::randn(y.sizes(), at::kDouble).to(y.scalar_type())).sum().backward();
    Tensors gradients;
    for (const at::Tensor &leaf : leaves)
        gradients.push_back(leaf.grad());
    return gradients;
}

double numericDerivative(const Function &f, const Tensors &inputs, std::size_t which, std::int64_t element)
{
    const c10::NoGradGuard noGrad;
    const auto valueAt = [&](double step) {
        Tensors moved = inputs;
        moved[which] = moved[which].clone();
        moved[which].view(-1)[element] += step;
        const at::Tensor y = f(moved);
        at::manual_seed(99);
        return (y * at::randn(y.sizes(), at::kDouble)).sum().item<double>();
    };
    const double step = 1e-5;
    return (valueAt(step) - valueAt(-step)) / (2 * step);
}

at::Tensor random(at::IntArrayRef shape)
{
    return at::randn(shape, at::kDouble);
}

struct Case {
    std::int64_t batch, heads, tokens, chunk;
    std::vector<double> logGamma;
    bool normaliser;
};

Tensors inputsOf(const Case &c)
{
    at::manual_seed(5);
    const std::int64_t dk = 6, dv = 5;
    at::Tensor v = random({c.batch, c.heads, c.tokens, dv});
    if (c.normaliser)
        v = at::cat({v, at::ones({c.batch, c.heads, c.tokens, 1}, at::kDouble)}, 3);
    return {random({c.batch, c.heads, c.tokens, dk}), random({c.batch, c.heads, c.tokens, dk}), v,
            at::tensor(c.logGamma, at::kDouble)};
}

const std::vector<Case> kCases{
    {2, 3, 50, 16, {-0.5, -0.01, 0}, false},   {1, 1, 64, 16, {-0.1}, false},   {1, 2, 7, 16, {-0.2, -2}, false},
    {2, 4, 33, 8, {-40, -5, -0.3, 0}, true},   {1, 2, 17, 1, {-0.7, -0.1}, false}, {1, 1, 2, 64, {0}, true},
};

} // namespace

class GradientsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void attentionEqualsPlainAutograd_data() { addCases(); }
    void attentionEqualsPlainAutograd();
    void attentionEqualsDifferences_data() { addCases(); }
    void attentionEqualsDifferences();
    void longStrongDecayStaysFinite();
    void attentionKeepsItsDtype();
    void normEqualsPlainAutograd();
    void rotationEqualsDifferences_data();
    void rotationEqualsDifferences();
    void swiGluEqualsPlainAutograd();

private:
    static void addCases();
};

void GradientsTest::addCases()
{
    QTest::addColumn<int>("index");
    for (std::size_t i = 0; i < kCases.size(); ++i)
        QTest::addRow("B%d H%d T%d chunk%d", int(kCases[i].batch), int(kCases[i].heads), int(kCases[i].tokens),
                      int(kCases[i].chunk)) << int(i);
}

void GradientsTest::attentionEqualsPlainAutograd()
{
    QFETCH(int, index);
    const Case &c = kCases[index];
    const Tensors inputs = inputsOf(c);
    const at::Tensor entering = random({c.batch, c.heads, 6, inputs[2].size(3)});
    at::Tensor fastState = entering, plainState = entering;
    const Function fast = [&](const Tensors &x) {
        fastState = entering;
        return attendTrained(x[0], x[1], x[2], x[3], fastState, c.chunk);
    };
    const Function plain = [&](const Tensors &x) {
        plainState = entering;
        return reference::recurrent(x[0], x[1], x[2], x[3], plainState);
    };
    QVERIFY(relativeError(fast(inputs), plain(inputs)) < kExact);
    QVERIFY(relativeError(fastState, plainState) < kExact);
    const Tensors own = gradientsOf(fast, inputs), expected = gradientsOf(plain, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        QVERIFY2(relativeError(own[i], expected[i]) < kExact, qPrintable(QString::number(i)));
}

void GradientsTest::attentionEqualsDifferences()
{
    QFETCH(int, index);
    const Case &c = kCases[index];
    const Tensors inputs = inputsOf(c);
    const Function fast = [&](const Tensors &x) {
        at::Tensor S = at::zeros({c.batch, c.heads, 6, x[2].size(3)}, at::kDouble);
        return attendTrained(x[0], x[1], x[2], x[3], S, c.chunk);
    };
    const Tensors own = gradientsOf(fast, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::int64_t element = 0; element < inputs[i].numel(); element += std::max<std::int64_t>(1, inputs[i].numel() / 9)) {
            const double expected = numericDerivative(fast, inputs, i, element);
            QVERIFY(std::abs(own[i].reshape(-1)[element].item<double>() - expected) < 1e-6 * std::max(1.0, std::abs(expected)));
        }
}

void GradientsTest::longStrongDecayStaysFinite()
{
    at::manual_seed(3);
    const at::Tensor logGamma = at::tensor({-1000.f, -50.f, -0.84f, 0.f});
    Tensors x{at::randn({1, 4, 1000, 8}), at::randn({1, 4, 1000, 8}), at::randn({1, 4, 1000, 8}), logGamma};
    const Tensors gradients = gradientsOf(
        [](const Tensors &inputs) {
            at::Tensor S = at::zeros({1, 4, 8, 8});
            return attendTrained(inputs[0], inputs[1], inputs[2], inputs[3], S, 64);
        },
        x);
    for (const at::Tensor &gradient : gradients)
        QVERIFY(at::isfinite(gradient).all().item<bool>());
}

void GradientsTest::attentionKeepsItsDtype()
{
    at::manual_seed(4);
    const auto make = [] { return at::randn({1, 2, 40, 8}).to(at::kBFloat16); };
    const Tensors narrow{make(), make(), make()};
    const at::Tensor logGamma = at::tensor({-0.1f, -0.01f});
    const Function attend = [&](const Tensors &x) {
        at::Tensor S = at::zeros({1, 2, 8, 8});
        return attendTrained(x[0], x[1], x[2], logGamma, S, 16);
    };
    const Tensors own = gradientsOf(attend, narrow);
    const Tensors wide = gradientsOf(attend, {narrow[0].to(at::kFloat), narrow[1].to(at::kFloat), narrow[2].to(at::kFloat)});
    for (std::size_t i = 0; i < own.size(); ++i) {
        QCOMPARE(own[i].scalar_type(), at::kBFloat16);
        QVERIFY(relativeError(own[i].to(at::kFloat), wide[i]) < 0.01);
    }
}

void GradientsTest::normEqualsPlainAutograd()
{
    at::manual_seed(6);
    for (const auto kind : {NormConfig::Kind::Rms, NormConfig::Kind::Layer}) {
        const NormConfig config{kind, 1e-5, true, true};
        const Function own = [&](const Tensors &x) { return Norm{config, x[1], x[2]}(x[0]); };
        const Function plain = [&](const Tensors &x) {
            const at::Tensor centred = kind == NormConfig::Kind::Rms ? x[0] : x[0] - x[0].mean(-1, true);
            return centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * x[1] + x[2];
        };
        const Tensors inputs{at::randn({2, 5, 12}), at::randn({12}), at::randn({12})};
        QVERIFY(relativeError(own(inputs), plain(inputs)) < 1e-5);
        const Tensors left = gradientsOf(own, inputs), right = gradientsOf(plain, inputs);
        for (std::size_t i = 0; i < inputs.size(); ++i)
            QVERIFY(relativeError(left[i], right[i]) < 1e-5);
    }
    const Norm bare{{NormConfig::Kind::Rms, 1e-5, false, false}, {}, {}};
    const Tensors x{at::randn({4, 12})};
    const Tensors ownBare = gradientsOf([&](const Tensors &in) { return bare(in[0]); }, x);
    const Tensors plainBare
        = gradientsOf([](const Tensors &in) { return in[0] / (in[0].square().mean(-1, true) + 1e-5).sqrt(); }, x);
    QVERIFY(relativeError(ownBare[0], plainBare[0]) < 1e-5);
    const Tensors o{at::randn({2, 5, 3, 8})};
    const Function own = [](const Tensors &x) { return headNorm(x[0], 1e-5); };
    const Tensors left = gradientsOf(own, o);
    const Tensors right = gradientsOf(
        [](const Tensors &x) {
            const at::Tensor centred = x[0] - x[0].mean(-1, true);
            return centred / (centred.square().mean(-1, true) + 1e-5).sqrt();
        },
        o);
    QVERIFY(relativeError(left[0], right[0]) < 1e-5);
}

void GradientsTest::rotationEqualsDifferences_data()
{
    QTest::addColumn<int>("layout");
    QTest::addColumn<int>("dimensions");
    QTest::newRow("half split") << int(RopeConfig::Layout::HalfSplit) << 8;
    QTest::newRow("interleaved") << int(RopeConfig::Layout::Interleaved) << 8;
    QTest::newRow("leading part") << int(RopeConfig::Layout::HalfSplit) << 4;
}

void GradientsTest::rotationEqualsDifferences()
{
    QFETCH(int, layout);
    QFETCH(int, dimensions);
    RopeConfig config;
    config.layout = RopeConfig::Layout(layout);
    config.dimensions = dimensions;
    const Rope rope(config, at::kCPU);
    at::manual_seed(8);
    const Tensors inputs{random({2, 6, 3, 8})};
    const Function rotate = [&](const Tensors &x) { return rope.apply(x[0], 4); };
    const Tensors own = gradientsOf(rotate, inputs);
    for (std::int64_t element = 0; element < inputs[0].numel(); element += 17) {
        const double expected = numericDerivative(rotate, inputs, 0, element);
        QVERIFY(std::abs(own[0].reshape(-1)[element].item<double>() - expected) < 1e-6);
    }
}

void GradientsTest::swiGluEqualsPlainAutograd()
{
    at::manual_seed(10);
    const Tensors inputs{random({2, 5, 6}), random({9, 6}), random({9, 6}), random({6, 9})};
    const Function own = [](const Tensors &x) {
        return FeedForward{FeedForwardConfig::Kind::SwiGlu, {x[1], {}}, {x[2], {}}, {x[3], {}}}(x[0]);
    };
    const Function plain = [](const Tensors &x) {
        const at::Tensor gate = at::matmul(x[0], x[1].t());
        return at::matmul(gate * at::sigmoid(gate) * at::matmul(x[0], x[2].t()), x[3].t());
    };
    const Tensors left = gradientsOf(own, inputs), right = gradientsOf(plain, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        QVERIFY(relativeError(left[i], right[i]) < kExact);
}

QTEST_APPLESS_MAIN(GradientsTest)
#include "tst_gradients.moc"
