// Products by the matrix unit against products in float64.
#include "kernels/tiles.h"
#include "tensor/tileproduct.h"

#include <QTest>
#include <cstring>
#include <torch/torch.h>

using namespace lens;

namespace {

/// The rows of a float32 matrix, a multiple of 16 of them.
PanelSource panelsOf(const at::Tensor &W)
{
    return [W](std::int64_t panel, kernels::BFloat16 *high, kernels::BFloat16 *low) {
        const at::Tensor rows = W.narrow(0, 16 * panel, 16), upper = rows.to(at::kBFloat16), lower = (rows - upper).to(at::kBFloat16);
        for (const auto &[part, to] : {std::pair(upper, high), std::pair(lower, low)}) {
            const at::Tensor pairs = part.unflatten(1, {-1, 2}).transpose(0, 1).contiguous();
            std::memcpy(to, pairs.const_data_ptr(), pairs.nbytes());
        }
    };
}

} // namespace

class TileProductTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        if (!kernels::hasTiles())
            QSKIP("this machine has no matrix unit");
    }

    void againstFloat64_data()
    {
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        QTest::addRow("one token") << 1 << 32 << 32;
        QTest::addRow("tokens between tiles") << 45 << 64 << 96;
        QTest::addRow("panels without a partner") << 64 << 48 << 64;
        QTest::addRow("more columns than fit into the first cache") << 70 << 16 << 608;
        QTest::addRow("as large as a layer") << 256 << 1536 << 576;
    }

    void againstFloat64()
    {
        QFETCH(int, tokens);
        QFETCH(int, rows);
        QFETCH(int, columns);
        torch::manual_seed(11);
        const at::Tensor x = torch::randn({tokens, columns}) * torch::randn({columns}).exp(), W = torch::randn({rows, columns});
        const at::Tensor y = tileProduct(x, rows / 16, panelsOf(W));
        const at::Tensor expected = x.to(at::kDouble).mm(W.t().to(at::kDouble));
        const at::Tensor magnitude = x.to(at::kDouble).abs().mm(W.t().to(at::kDouble).abs());
        QCOMPARE(y.sizes(), expected.sizes());
        QVERIFY(((y - expected).abs() <= magnitude / 16384).all().item<bool>());
        // Errors of either sign: the whole is far closer than its terms need be.
        QVERIFY(((y - expected).norm() / expected.norm()).item<double>() < 1e-5);
    }

    /// LibTorch's own kernels use the same unit and remember how they set it up.
    void leavesTheUnitAsItWas()
    {
        torch::manual_seed(13);
        const at::Tensor a = torch::randn({64, 64}).to(at::kBFloat16), b = torch::randn({64, 64}).to(at::kBFloat16);
        const at::Tensor x = torch::randn({64, 64});
        const at::Tensor before = at::mm(a, b);
        for (int i = 0; i < 3; ++i) {
            tileProduct(x, 4, panelsOf(x));
            QVERIFY(at::equal(at::mm(a, b), before));
        }
    }

    void tokensDoNotMeet()
    {
        torch::manual_seed(12);
        at::Tensor x = torch::randn({40, 64});
        const at::Tensor W = torch::randn({32, 64});
        const at::Tensor before = tileProduct(x, 2, panelsOf(W));
        x[7].fill_(std::numeric_limits<float>::quiet_NaN());
        const at::Tensor after = tileProduct(x, 2, panelsOf(W));
        QVERIFY(after[7].isnan().all().item<bool>());
        QVERIFY(at::equal(before.narrow(0, 8, 32), after.narrow(0, 8, 32)));
        QVERIFY(at::equal(before.narrow(0, 0, 7), after.narrow(0, 0, 7)));
    }
};

QTEST_GUILESS_MAIN(TileProductTest)
#include "tst_tileproduct.moc"
