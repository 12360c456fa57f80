// The forms of linear attention against each other, over head counts, lengths and decays, and against T2R's goldens.
#include "mixer/decay.h"
#include "mixer/featuremap.h"
#include "mixer/linearforms.h"
#include "mixer/reference/plainforms.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"

using namespace lens;
using namespace lens::test;

namespace {

struct Problem {
    at::Tensor q, k, v, logGamma, S;
};

Problem makeProblem(std::int64_t heads, std::int64_t tokens, DecayKind kind, std::uint64_t seed, std::int64_t dk = 12,
                    std::int64_t dv = 10)
{
    at::manual_seed(seed);
    return {at::randn({2, heads, tokens, dk}), at::randn({2, heads, tokens, dk}) / std::sqrt(double(dk)),
            at::randn({2, heads, tokens, dv}), -at::tensor(decaySlopes(kind, int(heads)), at::kFloat),
            at::randn({2, heads, dk, dv})};
}

} // namespace

class LinearFormsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void goldenStep();
    void formsAgree_data();
    void formsAgree();
    void resumesFromAnySplit();
    void strongestDecayOver2048Tokens();
    void chunkSizeDoesNotMatter();
    void gradientsAgree();
    void stateNormsAgreeWithStates();
    void t2rGoldens_data();
    void t2rGoldens();
};

void LinearFormsTest::goldenStep()
{
    const at::Tensor logGamma = at::tensor({-0.5});
    const at::Tensor q = at::tensor({0.f, 0.f, 1.f, 1.f}).view({1, 1, 2, 2});
    const at::Tensor k = at::tensor({1.f, 0.f, 0.f, 1.f}).view({1, 1, 2, 2});
    const at::Tensor v = at::tensor({2.f, 4.f, 1.f, -1.f}).view({1, 1, 2, 2});
    at::Tensor S = at::zeros({1, 1, 2, 2});
    const at::Tensor o = attendChunk(q, k, v, logGamma.to(at::kFloat), S);
    QVERIFY(at::allclose(o[0][0][1], at::tensor({2.213061f, 1.426123f}), 0, 1e-5));
    QVERIFY(at::allclose(S[0][0], at::tensor({1.213061f, 2.426123f, 1.f, -1.f}).view({2, 2}), 0, 1e-5));
}

void LinearFormsTest::formsAgree_data()
{
    QTest::addColumn<int>("heads");
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("kind");
    for (const int heads : {1, 3, 8, 12})
        for (const int tokens : {1, 63, 64, 65, 200})
            for (const int kind : {0, 1, 2})
                QTest::addRow("H%d T%d decay%d", heads, tokens, kind) << heads << tokens << kind;
}

void LinearFormsTest::formsAgree()
{
    QFETCH(int, heads);
    QFETCH(int, tokens);
    QFETCH(int, kind);
    const Problem p = makeProblem(heads, tokens, DecayKind(kind), 7);
    at::Tensor chunkedState = p.S, parallelState = p.S, recurrentState = p.S;
    const at::Tensor chunked = attendChunked(p.q, p.k, p.v, p.logGamma, chunkedState, 64);
    const at::Tensor parallel = reference::parallel(p.q, p.k, p.v, p.logGamma, parallelState);
    const at::Tensor recurrent = reference::recurrent(p.q, p.k, p.v, p.logGamma, recurrentState);
    QVERIFY(relativeError(chunked, recurrent) < kFormsRelative);
    QVERIFY(relativeError(parallel, recurrent) < kFormsRelative);
    QVERIFY(relativeError(chunkedState, recurrentState) < kFormsRelative);
    QVERIFY(relativeError(parallelState, recurrentState) < kFormsRelative);
}

void LinearFormsTest::resumesFromAnySplit()
{
    const Problem p = makeProblem(6, 100, DecayKind::Lightning, 3);
    at::Tensor whole = p.S;
    const at::Tensor expected = attendChunked(p.q, p.k, p.v, p.logGamma, whole, 64);
    for (std::int64_t split = 1; split < 100; split += 7) {
        at::Tensor S = p.S;
        const auto part = [&](const at::Tensor &x, std::int64_t from, std::int64_t count) { return x.narrow(2, from, count); };
        const at::Tensor first = attendChunked(part(p.q, 0, split), part(p.k, 0, split), part(p.v, 0, split), p.logGamma, S, 64);
        const at::Tensor second = attendChunked(part(p.q, split, 100 - split), part(p.k, split, 100 - split),
                                                part(p.v, split, 100 - split), p.logGamma, S, 64);
        QVERIFY(relativeError(at::cat({first, second}, 2), expected) < kFormsRelative);
        QVERIFY(relativeError(S, whole) < kFormsRelative);
    }
}

void LinearFormsTest::strongestDecayOver2048Tokens()
{
    Problem p = makeProblem(8, 2048, DecayKind::Lightning, 11);
    p.logGamma = at::tensor({-1000.f, -50.f, -10.f, -0.8409f, -0.5f, -0.00390625f, -1e-9f, 0.f});
    at::Tensor chunkedState = p.S, recurrentState = p.S;
    const at::Tensor chunked = attendChunked(p.q, p.k, p.v, p.logGamma, chunkedState, 64);
    const at::Tensor recurrent = reference::recurrent(p.q, p.k, p.v, p.logGamma, recurrentState);
    for (std::int64_t h = 0; h < 8; ++h) {
        QVERIFY2(relativeError(chunked.select(1, h), recurrent.select(1, h)) < kFormsRelative, qPrintable(QString::number(h)));
        QVERIFY(relativeError(chunkedState.select(1, h), recurrentState.select(1, h)) < kFormsRelative);
    }
}

void LinearFormsTest::chunkSizeDoesNotMatter()
{
    const Problem p = makeProblem(5, 130, DecayKind::RetNet, 5);
    at::Tensor expectedState = p.S;
    const at::Tensor expected = reference::recurrent(p.q, p.k, p.v, p.logGamma, expectedState);
    for (const std::int64_t chunk : {1, 2, 17, 64, 129, 130, 500}) {
        at::Tensor S = p.S;
        QVERIFY(relativeError(attendChunked(p.q, p.k, p.v, p.logGamma, S, chunk), expected) < kFormsRelative);
        QVERIFY(relativeError(S, expectedState) < kFormsRelative);
    }
}

void LinearFormsTest::gradientsAgree()
{
    const auto gradients = [](bool chunked) {
        Problem p = makeProblem(3, 50, DecayKind::Lightning, 9);
        for (at::Tensor *x : {&p.q, &p.k, &p.v})
            x->requires_grad_(true);
        at::Tensor S = p.S;
        std::vector<at::Tensor> outputs;
        if (chunked)
            for (std::int64_t first = 0; first < 50; first += 16) {
                const std::int64_t n = std::min<std::int64_t>(16, 50 - first);
                outputs.push_back(attendChunk(p.q.narrow(2, first, n), p.k.narrow(2, first, n), p.v.narrow(2, first, n), p.logGamma, S));
            }
        else
            outputs.push_back(reference::recurrent(p.q, p.k, p.v, p.logGamma, S));
        (at::cat(outputs, 2).square().sum() + S.square().sum()).backward();
        return std::vector<at::Tensor>{p.q.grad(), p.k.grad(), p.v.grad()};
    };
    const auto fast = gradients(true), plain = gradients(false);
    for (std::size_t i = 0; i < fast.size(); ++i)
        QVERIFY(relativeError(fast[i], plain[i]) < kFormsRelative);
}

void LinearFormsTest::stateNormsAgreeWithStates()
{
    for (const DecayKind kind : {DecayKind::Lightning, DecayKind::None}) {
        const Problem p = makeProblem(3, 150, kind, 21);
        const at::Tensor norms = stateNorms(p.k, p.v, p.logGamma, p.S, 64);
        at::Tensor S = p.S;
        for (std::int64_t t = 0; t < 150; ++t) {
            const auto at_ = [t](const at::Tensor &x) { return x.narrow(2, t, 1); };
            reference::recurrent(at_(p.q), at_(p.k), at_(p.v), p.logGamma, S);
            QVERIFY(relativeError(norms.select(2, t), S.square().sum({2, 3}).sqrt()) < kFormsRelative);
        }
    }
}

void LinearFormsTest::t2rGoldens_data()
{
    QTest::addColumn<QString>("folder");
    QTest::addColumn<bool>("perHead");
    QTest::newRow("one map for all heads") << "t2r_shared" << false;
    QTest::newRow("a map per head") << "t2r_per_head" << true;
}

void LinearFormsTest::t2rGoldens()
{
    QFETCH(QString, folder);
    QFETCH(bool, perHead);
    const Golden golden(SUPRALENS_TEST_DATA "/models/" + folder + "/golden.safetensors");
    QVERIFY(golden.isOpen());
    const std::int64_t heads = golden("q").size(1);
    const auto features = [&](const char *weight, const char *bias, const at::Tensor &x) {
        const at::Tensor w = perHead ? golden(weight) : golden(weight).t().expand({heads, -1, -1}).contiguous();
        const at::Tensor b = perHead ? golden(bias) : golden(bias).expand({heads, -1}).contiguous();
        return FeatureMap(FeatureMapForm::PerHeadRelu, perHead ? 1e-12 : 0.0, w, b).apply(x.transpose(1, 2)).transpose(1, 2);
    };
    const at::Tensor phiQ = features("Wq", "bq", golden("q")), phiK = features("Wk", "bk", golden("k"));
    QVERIFY(largest(phiQ - golden("phi_q")) < 1e-4);
    QVERIFY(largest(phiK - golden("phi_k")) < 1e-4);
    const at::Tensor v = golden("v");
    const at::Tensor ones = at::ones({v.size(0), v.size(1), v.size(2), 1});
    at::Tensor S = at::zeros({v.size(0), heads, phiK.size(3), v.size(3) + 1});
    const at::Tensor sums = attendChunked(phiQ, phiK, at::cat({v, ones}, 3), at::zeros({heads}), S, 7);
    const std::int64_t dv = v.size(3);
    QVERIFY(largest(sums.narrow(3, 0, dv) / sums.narrow(3, dv, 1) - golden("out")) < 1e-4);
    QVERIFY(relativeError(S.narrow(3, 0, dv), golden("state")) < kStateRelative);
    QVERIFY(relativeError(S.select(3, dv), golden("normaliser")) < kStateRelative);
}

QTEST_APPLESS_MAIN(LinearFormsTest)
#include "tst_linearforms.moc"
