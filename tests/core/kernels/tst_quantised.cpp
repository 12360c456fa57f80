// Products with quantised matrices, for every instruction set of this machine, against the plain expansion of their blocks.
#include "everytarget.h"
#include "kernels/manytokens.h"
#include "kernels/matrix.h"
#include "tensor/dequantise.h"

#include <QTest>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <hwy/highway.h>
#include <limits>
#include <random>
#include <vector>

using namespace lens;
using kernels::BlockFormat;

namespace {

struct Format {
    BlockFormat format;
    DType type;
    std::vector<std::size_t> scales;  ///< offsets of float16 numbers in a block
};

const std::vector<Format> formats{
    {BlockFormat::Q4_0, DType::Q4_0, {0}}, {BlockFormat::Q4_1, DType::Q4_1, {0, 2}}, {BlockFormat::Q5_0, DType::Q5_0, {0}},
    {BlockFormat::Q5_1, DType::Q5_1, {0, 2}}, {BlockFormat::Q8_0, DType::Q8_0, {0}}, {BlockFormat::Q4_K, DType::Q4_K, {0, 2}},
    {BlockFormat::Q5_K, DType::Q5_K, {0, 2}}, {BlockFormat::Q6_K, DType::Q6_K, {208}}};

/// Any bits are a block, as long as its scales are finite.
std::vector<std::byte> randomBlocks(const Format &format, std::int64_t count, std::size_t shift)
{
    std::mt19937 generator(7);
    std::vector<std::byte> bytes(static_cast<std::size_t>(count * kernels::blockBytes(format.format)) + shift);
    for (std::byte &byte : bytes)
        byte = static_cast<std::byte>(generator());
    for (std::int64_t i = 0; i < count; ++i)
        for (const std::size_t scale : format.scales) {
            const auto half = static_cast<std::uint16_t>(0x1800 + (generator() & 0x8FFF));  // +-0.002 to +-0.9
            std::memcpy(bytes.data() + shift + static_cast<std::size_t>(i * kernels::blockBytes(format.format)) + scale, &half, 2);
        }
    return bytes;
}

/// One panel of 16 rows, where this processor multiplies them.
std::vector<std::byte> packedOnce(const Format &format, const std::vector<std::byte> &bytes, std::int64_t columns)
{
    std::vector<std::byte> packed = bytes;
    if (kernels::hasPanelProducts())
        kernels::packPanel({format.format, bytes.data(), columns}, 0, packed.data());
    return packed;
}

} // namespace

class QuantisedTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cleanup() { hwy::SetSupportedTargetsForTest(0); }

    void layoutsAgree()
    {
        for (const Format &format : formats) {
            QCOMPARE(kernels::blockBytes(format.format), blockLayout(format.type).bytes);
            QCOMPARE(kernels::blockElements(format.format), blockLayout(format.type).elements);
        }
    }

    void rows_data()
    {
        QTest::addColumn<int>("index");
        QTest::addColumn<qint64>("blocks");
        for (std::size_t i = 0; i < formats.size(); ++i)
            for (const qint64 blocks : {1, 5, 18})
                QTest::addRow("%s, %lld blocks", std::string(name(formats[i].type)).c_str(), blocks) << int(i) << blocks;
    }

    void rows()
    {
        QFETCH(int, index);
        QFETCH(qint64, blocks);
        const Format &format = formats[static_cast<std::size_t>(index)];
        const std::int64_t rows = 6, first = 2, some = 3, columns = blocks * kernels::blockElements(format.format);
        const std::size_t shift = 1;  // nothing in a file is aligned
        const std::vector<std::byte> bytes = randomBlocks(format, rows * blocks, shift);
        const kernels::BlockMatrix W{format.format, bytes.data() + shift, columns};
        std::vector<float> expanded(static_cast<std::size_t>(rows * columns));
        dequantise(format.type, std::span(bytes).subspan(shift), expanded);
        std::mt19937 generator(3);
        std::normal_distribution<float> normal;
        std::vector<float> x(static_cast<std::size_t>(columns));
        std::generate(x.begin(), x.end(), [&] { return normal(generator); });

        for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
            hwy::SetSupportedTargetsForTest(targets & -targets);
            const char *target = hwy::TargetName(targets & -targets);
            std::vector<float> y(some), values(static_cast<std::size_t>(some * columns));
            std::vector<kernels::BFloat16> narrow(values.size());
            kernels::product(W, first, some, x.data(), y.data());
            kernels::unpack(W, first, some, values.data());
            kernels::unpack(W, first, some, narrow.data());
            for (std::int64_t row = 0; row < some; ++row) {
                double sum = 0, magnitude = 0;
                for (std::int64_t i = 0; i < columns; ++i) {
                    const float w = expanded[static_cast<std::size_t>((first + row) * columns + i)];
                    const auto at = static_cast<std::size_t>(row * columns + i);
                    sum += double(w) * x[static_cast<std::size_t>(i)];
                    magnitude += std::abs(double(w) * x[static_cast<std::size_t>(i)]);
                    // A fused product and sum rounds once where the plain one rounds twice: the terms are up to 63 d.
                    QVERIFY2(std::abs(values[at] - w) <= 2e-5f, target);
                    const float wide = std::bit_cast<float>(static_cast<std::uint32_t>(narrow[at]) << 16);
                    QVERIFY2(std::abs(wide - w) <= std::abs(w) / 250 + 2e-5f, target);
                }
                QVERIFY2(std::abs(y[static_cast<std::size_t>(row)] - sum) <= 1e-6 * magnitude, target);
            }
            hwy::SetSupportedTargetsForTest(0);
        }
    }

    void panels_data() { rows_data(); }

    /// 16 rows together hold the bytes of their rows, and multiply as these do: whole panels, parts of them, and the rows
    /// behind the last.
    void panels()
    {
        QFETCH(int, index);
        QFETCH(qint64, blocks);
        const Format &format = formats[static_cast<std::size_t>(index)];
        const std::int64_t rows = 2 * kernels::kPanelRows + 5, columns = blocks * kernels::blockElements(format.format);
        const std::vector<std::byte> bytes = randomBlocks(format, rows * blocks, 0);
        const kernels::BlockMatrix plain{format.format, bytes.data(), columns};
        const std::int64_t rowBytes = plain.rowBytes(), panelBytes = kernels::kPanelRows * rowBytes;
        std::vector<std::byte> packed = bytes, row(static_cast<std::size_t>(rowBytes));
        for (const std::int64_t panel : {0, 1})
            kernels::packPanel(plain, panel, packed.data() + panel * panelBytes);
        const kernels::BlockMatrix W{format.format, packed.data(), columns, 2 * kernels::kPanelRows};
        for (std::int64_t i = 0; i < W.panelRows; ++i) {
            kernels::unpackRow(W, i, row.data());
            QVERIFY2(std::equal(row.begin(), row.end(), bytes.begin() + i * rowBytes), qPrintable(QString::number(i)));
        }
        std::vector<float> values(static_cast<std::size_t>(rows * columns)), same(values.size());
        kernels::unpack(plain, 0, rows, values.data());
        kernels::unpack(W, 0, rows, same.data());
        QVERIFY(values == same);
        if (!kernels::hasPanelProducts())
            QSKIP("this processor does not multiply bytes");
        std::vector<kernels::BFloat16> high(static_cast<std::size_t>(kernels::kPanelRows * columns)), low(high.size());
        kernels::splitPanel(W, 1, high.data(), low.data());
        const auto wide = [](kernels::BFloat16 number) { return std::bit_cast<float>(static_cast<std::uint32_t>(number) << 16); };
        for (std::int64_t i = 0; i < kernels::kPanelRows; ++i)
            for (std::int64_t j = 0; j < columns; ++j) {
                const auto at = static_cast<std::size_t>((j / 2 * kernels::kPanelRows + i) * 2 + j % 2);
                const float w = values[static_cast<std::size_t>((kernels::kPanelRows + i) * columns + j)];
                QVERIFY2(std::abs(double(wide(high[at])) + wide(low[at]) - w) <= std::abs(w) / 65536 + 2e-5, qPrintable(QString::number(j)));
            }
        std::mt19937 generator(3);
        std::normal_distribution<float> normal;
        std::vector<float> x(static_cast<std::size_t>(columns));
        std::generate(x.begin(), x.end(), [&] { return normal(generator); });
        onEveryTarget([&] {
            if (!kernels::hasPanelProducts())
                return;
            for (const auto &[first, some] : {std::pair<std::int64_t, std::int64_t>{0, rows}, {3, 4}, {3, 20}, {16, 16}, {20, 17}, {33, 3}}) {
                std::vector<float> y(static_cast<std::size_t>(some));
                kernels::product(W, first, some, x.data(), y.data());
                for (std::int64_t i = 0; i < some; ++i) {
                    double sum = 0, magnitude = 0;
                    for (std::int64_t j = 0; j < columns; ++j) {
                        const double term =
                            double(values[static_cast<std::size_t>((first + i) * columns + j)]) * x[static_cast<std::size_t>(j)];
                        sum += term;
                        magnitude += std::abs(term);
                    }
                    QVERIFY2(std::abs(y[static_cast<std::size_t>(i)] - sum) <= 1e-6 * magnitude, qPrintable(QString::number(first + i)));
                }
            }
        });
    }

    void manyTokens_data()
    {
        if (!kernels::hasTokenProducts())
            QSKIP("this processor does not multiply bytes faster than floats");
        rows_data();
    }

    /// Together tokens give, to the last bit, what they give alone.
    void manyTokens()
    {
        QFETCH(int, index);
        QFETCH(qint64, blocks);
        const Format &format = formats[static_cast<std::size_t>(index)];
        const std::int64_t rows = 2 * kernels::kPanelRows, columns = blocks * kernels::blockElements(format.format), stride = rows + 3;
        const std::vector<std::byte> bytes = randomBlocks(format, rows * blocks, 0);
        std::vector<std::byte> packed = bytes;
        const kernels::BlockMatrix plain{format.format, bytes.data(), columns}, W{format.format, packed.data(), columns, rows};
        for (const std::int64_t panel : {0, 1})
            kernels::packPanel(plain, panel, packed.data() + panel * kernels::kPanelRows * plain.rowBytes());
        std::mt19937 generator(3);
        std::normal_distribution<float> normal;
        std::vector<std::byte> input(static_cast<std::size_t>(kernels::tokenBytes(format.format, columns)));
        for (std::int64_t tokens = 1; tokens <= kernels::kTokensTogether; ++tokens) {
            std::vector<float> x(static_cast<std::size_t>(tokens * columns)), y(static_cast<std::size_t>(kernels::kTokensTogether * stride), 7.0f);
            std::generate(x.begin(), x.end(), [&] { return normal(generator); });
            kernels::makeTokenBytes(format.format, columns, tokens, x.data(), input.data());
            for (const std::int64_t panel : {0, 1})
                kernels::multiplyTokens(W, panel, tokens, input.data(), stride, y.data() + panel * kernels::kPanelRows);
            std::vector<float> alone(static_cast<std::size_t>(rows));
            for (std::int64_t t = 0; t < kernels::kTokensTogether; ++t) {
                const bool isThere = t < tokens;
                if (isThere)
                    kernels::product(W, 0, rows, x.data() + t * columns, alone.data());
                for (std::int64_t i = 0; i < stride; ++i)
                    QVERIFY(y[static_cast<std::size_t>(t * stride + i)] == (isThere && i < rows ? alone[static_cast<std::size_t>(i)] : 7.0f));
            }
        }
    }

    void expandedPanels_data() { rows_data(); }

    /// The numbers of panels in their places, and their products with any number of tokens.
    void expandedPanels()
    {
        if (!kernels::hasPanelProducts())
            QSKIP("this processor does not multiply bytes");
        QFETCH(int, index);
        QFETCH(qint64, blocks);
        const Format &format = formats[static_cast<std::size_t>(index)];
        const std::int64_t rows = 2 * kernels::kPanelRows, columns = blocks * kernels::blockElements(format.format);
        const std::vector<std::byte> bytes = randomBlocks(format, rows * blocks, 0);
        std::vector<std::byte> packed = bytes;
        const kernels::BlockMatrix plain{format.format, bytes.data(), columns}, W{format.format, packed.data(), columns, rows};
        kernels::packPanel(plain, 1, packed.data() + kernels::kPanelRows * plain.rowBytes());
        std::vector<float> values(static_cast<std::size_t>(kernels::kPanelRows * columns)), panel(values.size());
        kernels::unpack(plain, kernels::kPanelRows, kernels::kPanelRows, values.data());
        const auto number = [&](std::int64_t row, std::int64_t column) { return values[static_cast<std::size_t>(row * columns + column)]; };
        std::mt19937 generator(3);
        std::normal_distribution<float> normal;
        onEveryTarget([&] {
            if (!kernels::hasPanelProducts())
                return;
            kernels::expandPanel(W, 1, panel.data());
            for (std::int64_t row = 0; row < kernels::kPanelRows; ++row)
                for (std::int64_t column = 0; column < columns; ++column)
                    QVERIFY(std::abs(panel[static_cast<std::size_t>(column * kernels::kPanelRows + row)] - number(row, column)) <= 2e-5f);
            for (std::int64_t tokens = 1; tokens <= 26; ++tokens) {
                const std::int64_t stride = kernels::kPanelRows + 3;
                std::vector<float> x(static_cast<std::size_t>(tokens * columns)), y(static_cast<std::size_t>((tokens + 1) * stride), 7.0f);
                std::generate(x.begin(), x.end(), [&] { return normal(generator); });
                const std::int64_t half = columns / 2;
                kernels::multiplyExpanded({half, tokens, columns, stride, false}, panel.data(), x.data(), y.data());
                kernels::multiplyExpanded({columns - half, tokens, columns, stride, true}, panel.data() + half * kernels::kPanelRows,
                                          x.data() + half, y.data());
                for (std::int64_t t = 0; t <= tokens; ++t)
                    for (std::int64_t row = 0; row < stride; ++row) {
                        const float is = y[static_cast<std::size_t>(t * stride + row)];
                        if (t == tokens || row >= kernels::kPanelRows) {
                            QCOMPARE(is, 7.0f);
                            continue;
                        }
                        double sum = 0, magnitude = 0;
                        for (std::int64_t column = 0; column < columns; ++column) {
                            const double term = double(number(row, column)) * x[static_cast<std::size_t>(t * columns + column)];
                            sum += term;
                            magnitude += std::abs(term);
                        }
                        QVERIFY(std::abs(is - sum) <= 1e-6 * magnitude);
                    }
            }
        });
    }

    void inputsThatDifferInSize_data()
    {
        QTest::addColumn<float>("x");
        QTest::addColumn<float>("neighbour");
        QTest::addRow("zeros") << 0.0f << 0.0f;
        QTest::addRow("too small to be scaled") << 1e-38f << 1e-38f;
        QTest::addRow("as large as float32 allows") << 1e33f << 1e33f;
        QTest::addRow("an outlier in another group") << 1e-3f << 1e4f;
    }

    /// The groups of x have scales of their own: what is large in one costs the others nothing.
    void inputsThatDifferInSize()
    {
        QFETCH(float, x);
        QFETCH(float, neighbour);
        for (const Format &format : formats) {
            const std::int64_t elements = kernels::blockElements(format.format), columns = 2 * elements;
            const std::vector<std::byte> bytes = randomBlocks(format, 2 * kernels::kPanelRows, 0), packed = packedOnce(format, bytes, columns);
            const kernels::BlockMatrix W{format.format, packed.data(), columns, kernels::hasPanelProducts() ? kernels::kPanelRows : 0};
            std::vector<float> expanded(static_cast<std::size_t>(columns)), input(expanded.size(), x);
            dequantise(format.type, std::span(bytes).first(bytes.size() / kernels::kPanelRows), expanded);
            std::fill(input.begin() + elements, input.end(), neighbour);
            // The neighbour's share is computed alone, then taken away.
            std::vector<float> alone(input);
            std::fill(alone.begin(), alone.begin() + elements, 0.0f);
            float together = 0, rest = 0;
            kernels::product(W, 0, 1, input.data(), &together);
            kernels::product(W, 0, 1, alone.data(), &rest);
            double own = 0, magnitude = 0;
            for (std::int64_t i = 0; i < columns; ++i) {
                const double term = double(expanded[static_cast<std::size_t>(i)]) * input[static_cast<std::size_t>(i)];
                own += i < elements ? term : 0;
                magnitude += std::abs(term);
            }
            QVERIFY2(std::abs(double(together) - rest - own) <= 1e-6 * magnitude + 1e-30, std::string(name(format.type)).c_str());
        }
    }

    void whatIsNoNumberStaysNone()
    {
        for (const Format &format : formats)
            for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                const std::int64_t columns = kernels::blockElements(format.format);
                const std::vector<std::byte> bytes = randomBlocks(format, kernels::kPanelRows, 0), packed = packedOnce(format, bytes, columns);
                std::vector<float> x(static_cast<std::size_t>(columns), 1.0f);
                x[5] = wrong;
                float y = 0;
                kernels::product(kernels::BlockMatrix{format.format, bytes.data(), columns}, 0, 1, x.data(), &y);
                QVERIFY2(!std::isfinite(y), std::string(name(format.type)).c_str());
                if (!kernels::hasPanelProducts())
                    continue;
                kernels::product(kernels::BlockMatrix{format.format, packed.data(), columns, kernels::kPanelRows}, 0, 1, x.data(), &y);
                QVERIFY2(!std::isfinite(y), std::string(name(format.type)).c_str());
            }
    }
};

QTEST_GUILESS_MAIN(QuantisedTest)
#include "tst_quantised.moc"
