// One block of each simple type, computed by hand from the layout. Whole tensors of all types are compared with ggml's
// own values in tst_gguf.
#include "tensor/dequantise.h"

#include <QtTest>
#include <array>

namespace {

constexpr std::array<std::uint8_t, 2> kHalfOfTwo{0x00, 0x40};    // 2.0 as IEEE half, little-endian
constexpr std::array<std::uint8_t, 2> kHalfOfMinus1{0x00, 0xBC}; // -1.0

std::vector<float> expand(lens::DType type, const std::vector<std::uint8_t> &block)
{
    std::vector<float> values(static_cast<std::size_t>(lens::blockLayout(type).elements));
    lens::dequantise(type, std::as_bytes(std::span(block)), values);
    return values;
}

std::vector<std::uint8_t> block(lens::DType type, std::initializer_list<std::array<std::uint8_t, 2>> halves)
{
    std::vector<std::uint8_t> bytes;
    for (const auto &half : halves)
        bytes.insert(bytes.end(), half.begin(), half.end());
    bytes.resize(static_cast<std::size_t>(lens::blockLayout(type).bytes));
    return bytes;
}

} // namespace

class TestDequantise : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void q4_0()
    {
        auto bytes = block(lens::DType::Q4_0, {kHalfOfTwo});
        bytes[2] = 0xF1; // element 0 is 1, element 16 is 15
        const auto values = expand(lens::DType::Q4_0, bytes);
        QCOMPARE(values[0], 2.0f * (1 - 8));
        QCOMPARE(values[16], 2.0f * (15 - 8));
        QCOMPARE(values[1], 2.0f * -8);
    }
    void q4_1()
    {
        auto bytes = block(lens::DType::Q4_1, {kHalfOfTwo, kHalfOfMinus1});
        bytes[4 + 15] = 0x3A; // element 15 is 10, element 31 is 3
        const auto values = expand(lens::DType::Q4_1, bytes);
        QCOMPARE(values[15], 2.0f * 10 - 1);
        QCOMPARE(values[31], 2.0f * 3 - 1);
        QCOMPARE(values[0], -1.0f);
    }
    void q5_0()
    {
        auto bytes = block(lens::DType::Q5_0, {kHalfOfTwo});
        bytes[2] = 0x01;      // fifth bit of element 0
        bytes[2 + 3] = 0x80;  // fifth bit of element 31
        bytes[6 + 15] = 0x70; // element 31 is 7
        const auto values = expand(lens::DType::Q5_0, bytes);
        QCOMPARE(values[0], 2.0f * (16 - 16));
        QCOMPARE(values[31], 2.0f * (16 + 7 - 16));
        QCOMPARE(values[1], 2.0f * -16);
    }
    void q8_0()
    {
        auto bytes = block(lens::DType::Q8_0, {kHalfOfTwo});
        bytes[2] = 0x80;
        bytes[2 + 31] = 0x7F;
        const auto values = expand(lens::DType::Q8_0, bytes);
        QCOMPARE(values[0], 2.0f * -128);
        QCOMPARE(values[31], 2.0f * 127);
    }
};

QTEST_APPLESS_MAIN(TestDequantise)
#include "tst_dequantise.moc"
