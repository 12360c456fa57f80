// Copies to and from a device. Without a GPU they are made in the same pieces, from one place of the host to another.
#include "tensor/hosttransfer.h"

#include <QtTest>

#include <ATen/detail/CUDAHooksInterface.h>

using namespace lens;

class TestHostTransfer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void piecesAddUp_data()
    {
        QTest::addColumn<qint64>("piece");
        for (const qint64 piece : {1, 7, 64, 1000, 1 << 20})
            QTest::newRow(qPrintable(QString::number(piece))) << piece;
    }

    void piecesAddUp()
    {
        QFETCH(qint64, piece);
        Upload upload(at::kCPU, piece);
        const std::vector<std::vector<std::int64_t>> shapes = {{}, {0, 4}, {1}, {16}, {31, 17}};
        for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble, at::kByte})
            for (const std::vector<std::int64_t> &shape : shapes) {
                const at::Tensor tensor = at::rand(shape).mul(200).to(type);
                const at::Tensor sent = upload.send(tensor);
                QVERIFY(sent.sizes() == tensor.sizes() && sent.scalar_type() == type);
                QVERIFY(at::equal(sent, tensor));
                QVERIFY(tensor.numel() == 0 || sent.data_ptr() != tensor.data_ptr());
            }
    }

    void whatDoesNotLieInARow()
    {
        const at::Tensor tensor = at::arange(60, at::kFloat).view({5, 12}).t().narrow(0, 2, 7);
        QVERIFY(at::equal(Upload(at::kCPU, 16).send(tensor), tensor));
    }

    void theSourceMayChangeAtOnce()
    {
        at::Tensor tensor = at::arange(100, at::kFloat);
        Upload upload(at::kCPU, 64);
        const at::Tensor sent = upload.send(tensor);
        const Readback readback(tensor);
        tensor.zero_();
        QVERIFY(at::equal(sent, at::arange(100, at::kFloat)));
        QVERIFY(at::equal(readback.wait(), at::arange(100, at::kFloat)));
    }

    void plainMemoryWhereNoneCanBeLocked()
    {
        if (at::hasCUDA())
            QSKIP("there is a CUDA device, whose memory can be locked");
        const at::Tensor buffer = hostBuffer({3, 5}, at::kLong, at::Device(at::kCUDA, 0));
        QVERIFY(buffer.is_cpu() && !buffer.is_pinned() && buffer.scalar_type() == at::kLong);
        QCOMPARE(buffer.numel(), std::int64_t(15));
    }
};

QTEST_GUILESS_MAIN(TestHostTransfer)
#include "tst_hosttransfer.moc"
