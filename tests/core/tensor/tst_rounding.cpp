// Numbers rounded to blocks: how far off each may be, and what is reported of it.
#include "tensor/quantisedweight.h"

#include <QTest>
#include <torch/torch.h>

using namespace lens;

class RoundingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { torch::manual_seed(21); }

    void staysWithinHalfAStep_data()
    {
        QTest::addColumn<int>("type");
        QTest::newRow("Q8_0") << int(DType::Q8_0);
        QTest::newRow("Q4_1") << int(DType::Q4_1);
    }

    void staysWithinHalfAStep()
    {
        QFETCH(int, type);
        const bool eight = DType(type) == DType::Q8_0;
        // Blocks of very different sizes, one of them all of one sign.
        at::Tensor values = torch::randn({7, 96}) * torch::randn({7, 1}).exp();
        values[3].abs_().add_(1);
        const QuantisedWeight weight = QuantisedWeight::rounded(values, DType(type));
        QCOMPARE(weight.rows(), std::int64_t(7));
        QCOMPARE(weight.columns(), std::int64_t(96));
        const at::Tensor blocks = values.view({7, 3, 32}), difference = (weight.expanded().view({7, 3, 32}) - blocks).abs();
        const at::Tensor most = std::get<0>(blocks.max(2, true)), least = std::get<0>(blocks.min(2, true)), widest = blocks.abs().amax(2, true);
        // Scale and offset are float16: they add 2^-11 of what they stand for.
        const at::Tensor step = eight ? widest / 127 : (most - least) / 15;
        QVERIFY((difference <= step * 0.51 + widest / 1024).all().item<bool>());
        const double error = (weight.expanded() - values).norm().item<double>() / values.norm().item<double>();
        QVERIFY(std::abs(std::sqrt(weight.loss().squaredError / weight.loss().squaredNorm) - error) < 1e-6);
        QVERIFY(error < (eight ? 0.01 : 0.12));
    }

    void zerosStayZeros()
    {
        for (const DType type : {DType::Q8_0, DType::Q4_1}) {
            const QuantisedWeight weight = QuantisedWeight::rounded(at::zeros({2, 64}), type);
            QVERIFY((weight.expanded() == 0).all().item<bool>());
            QCOMPARE(weight.loss().squaredError, 0.0);
        }
    }

    void equalNumbersStayEqual()
    {
        for (const DType type : {DType::Q8_0, DType::Q4_1}) {
            const at::Tensor expanded = QuantisedWeight::rounded(at::full({1, 32}, -0.3), type).expanded();
            QVERIFY((expanded == expanded[0][0]).all().item<bool>());
            QVERIFY(std::abs(expanded[0][0].item<double>() + 0.3) < 1e-3);
        }
    }

    void blocksOfAFileLoseNothingHere()
    {
        const QuantisedWeight rounded = QuantisedWeight::rounded(torch::randn({2, 32}), DType::Q8_0);
        const auto read = QuantisedWeight::from(rounded.blocks(), DType::Q8_0);
        QCOMPARE(read->loss().squaredNorm, 0.0);
        QVERIFY(at::equal(read->expanded(), rounded.expanded()));
    }
};

QTEST_GUILESS_MAIN(RoundingTest)
#include "tst_rounding.moc"
