// Changes beside projections: what they become when they are merged, and what happens to those without a matrix.
#include "model/mergechanges.h"
#include "support/tensorcheck.h"

#include <QTest>
#include <torch/torch.h>

using namespace lens;

class MergeChangesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { torch::manual_seed(3); }

    void lowRankIsAdded()
    {
        const at::Tensor W = torch::randn({6, 4}).to(at::kBFloat16), a = torch::randn({2, 4}), b = torch::randn({6, 2});
        NamedTensors weights{{"m.q.weight", W}, {"m.q.lora_a", a}, {"m.q.lora_b", b}, {"m.q.bias", torch::ones({6})}};
        mergeLowRank(weights);
        QCOMPARE(weights.size(), std::size_t(2));
        QCOMPARE(int(weights.at("m.q.weight").scalar_type()), int(at::kFloat));
        const at::Tensor x = torch::randn({5, 4});
        const at::Tensor beside = at::linear(x, W.to(at::kFloat)) + at::linear(at::linear(x, a), b);
        QVERIFY(test::relativeError(at::linear(x, weights.at("m.q.weight")), beside) < 1e-6);
    }

    void scalesMultiplyColumns()
    {
        const at::Tensor W = torch::randn({3, 4}), scale = torch::rand({4}) + 0.5;
        NamedTensors weights{{"layers.0.mixer.out.weight", W}, {"layers.0.mixer.scale", scale}};
        mergeScales(weights);
        QCOMPARE(weights.size(), std::size_t(1));
        const at::Tensor x = torch::randn({5, 4});
        QVERIFY(test::relativeError(at::linear(x, weights.begin()->second), at::linear(x * scale, W)) < 1e-6);
    }

    void changesWithoutTheirMatrixStay()
    {
        NamedTensors weights{{"m.q.lora_a", torch::ones({1, 2})}, {"m.q.lora_b", torch::ones({2, 1})}, {"m.scale", torch::ones({2})},
                             {"m.k.weight", torch::ones({2, 2})}};
        mergeLowRank(weights);
        mergeScales(weights);
        QCOMPARE(weights.size(), std::size_t(4));
    }

    void bothTogether()
    {
        const at::Tensor W = torch::randn({3, 4}), a = torch::randn({2, 4}), b = torch::randn({3, 2}), scale = torch::rand({4}) + 0.5;
        NamedTensors weights{{"m.out.weight", W}, {"m.out.lora_a", a}, {"m.out.lora_b", b}, {"m.scale", scale}};
        mergeLowRank(weights);
        mergeScales(weights);
        const at::Tensor x = torch::randn({5, 4});
        const at::Tensor beside = at::linear(x * scale, W) + at::linear(at::linear(x * scale, a), b);
        QVERIFY(test::relativeError(at::linear(x, weights.at("m.out.weight")), beside) < 1e-6);
    }
};

QTEST_GUILESS_MAIN(MergeChangesTest)
#include "tst_mergechanges.moc"
