// Blocks expanded by torch's operators, which serve other devices, against the plain expansion, for every format.
#include "tensor/blockexpansion.h"
#include "tensor/quantisedweight.h"

#include <QTest>
#include <torch/torch.h>

using namespace lens;
using kernels::BlockFormat;

class BlockExpansionTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void formats_data()
    {
        QTest::addColumn<int>("type");
        for (const DType type : {DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0, DType::Q4_K, DType::Q5_K, DType::Q6_K})
            QTest::addRow("%s", std::string(name(type)).c_str()) << int(type);
    }

    void formats()
    {
        QFETCH(int, type);
        torch::manual_seed(17);
        const BlockLayout layout = blockLayout(DType(type));
        const at::Tensor blocks = torch::randint(0, 256, {5, 3 * layout.bytes}, at::kByte);
        const auto weight = QuantisedWeight::from(withFiniteScales(blocks, DType(type)), DType(type));
        QVERIFY(weight);
        const BlockFormat format = weight->matrix().format;
        const at::Tensor expected = weight->expanded(), got = expandedByTorch(weight->blocks(), format, at::kFloat);
        QCOMPARE(got.sizes(), expected.sizes());
        QVERIFY(at::allclose(got, expected, 1e-6, 1e-4));
        const at::Tensor narrow = expandedByTorch(weight->blocks(), format, at::kBFloat16);
        QVERIFY(narrow.scalar_type() == at::kBFloat16 && at::allclose(narrow.to(at::kFloat), expected, 1e-2, 1e-2));
        const at::Tensor shape = expandedByTorch(weight->blocks().to(at::kMeta), format, at::kFloat);
        QVERIFY(shape.is_meta() && shape.sizes() == expected.sizes());
    }

    /// The operators themselves go there by the device of their arguments.
    void operatorsFollowTheDevice()
    {
        const auto linear = c10::Dispatcher::singleton().findSchemaOrThrow("supralens::block_linear", "")
                                .typed<at::Tensor(const at::Tensor &, const at::Tensor &, std::int64_t, std::int64_t)>();
        const at::Tensor blocks = at::zeros({6, 2 * 34}, at::kByte), x = at::ones({2, 3, 64});
        const auto format = static_cast<std::int64_t>(BlockFormat::Q8_0);
        QCOMPARE(linear.call(x, blocks, format, 0).sizes(), at::IntArrayRef({2, 3, 6}));
        const at::Tensor shape = linear.call(x.to(at::kMeta), blocks.to(at::kMeta), format, 0);
        QVERIFY(shape.is_meta() && shape.sizes() == at::IntArrayRef({2, 3, 6}));
        QVERIFY_THROWS_EXCEPTION(c10::Error, linear.call(x, blocks.narrow(1, 0, 33), format, 0));
        QVERIFY_THROWS_EXCEPTION(c10::Error, linear.call(x, blocks, 99, 0));
    }

private:
    /// Random bytes with 1.0 and 0.5 where a block has float16 numbers.
    static at::Tensor withFiniteScales(const at::Tensor &bytes, DType type)
    {
        const at::Tensor blocks = bytes.view({-1, blockLayout(type).bytes});
        const std::int64_t first = type == DType::Q6_K ? 208 : 0;
        blocks.select(1, first).zero_();
        blocks.select(1, first + 1).fill_(0x3C);
        if (type == DType::Q4_1 || type == DType::Q5_1 || type == DType::Q4_K || type == DType::Q5_K) {
            blocks.select(1, 2).zero_();
            blocks.select(1, 3).fill_(0x38);
        }
        return bytes;
    }
};

QTEST_GUILESS_MAIN(BlockExpansionTest)
#include "tst_blockexpansion.moc"
