// Attention of one token and products with dense matrices, for every instruction set of this machine, against plain loops in
// double precision.
#include "kernels/matrix.h"
#include "kernels/onetoken.h"
#include "everytarget.h"
#include "noise.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

using namespace lens;
using namespace lens::test;
using kernels::BFloat16;

namespace {

constexpr double kTolerance = 4e-6;
constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();

/// One head of a cache and the queries that share it.
template <class T>
struct Head {
    Head(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, float scale)
        : tokens(tokens), queries(queries), dk(dk), dv(dv), scale(scale), q(noise<float>(queries * dk, 1)),
          keys(noise<T>(tokens * dk, 2)), values(noise<T>(tokens * dv, 3))
    {
    }

    /// As decoding does it: in ranges, which are merged where there are several.
    std::vector<float> attend(std::int64_t first, std::int64_t length) const
    {
        const std::int64_t visible = tokens - first, ranges = (visible + length - 1) / length;
        std::vector<float> outs(static_cast<std::size_t>(ranges * queries * dv));
        std::vector<float> logSums(static_cast<std::size_t>(ranges * queries));
        for (std::int64_t range = 0; range < ranges; ++range) {
            const std::int64_t row = first + range * length;
            kernels::attend(std::min(length, tokens - row), queries, dk, dv, q.data(), keys.data() + row * dk,
                            values.data() + row * dv, scale, outs.data() + range * queries * dv, logSums.data() + range * queries);
        }
        if (ranges == 1)
            return outs;
        std::vector<float> out(static_cast<std::size_t>(queries * dv));
        kernels::mergeAttention(ranges, queries, dv, outs.data(), logSums.data(), out.data());
        return out;
    }

    std::vector<double> plain(std::int64_t first) const
    {
        std::vector<double> out(static_cast<std::size_t>(queries * dv));
        for (std::int64_t query = 0; query < queries; ++query) {
            std::vector<double> weights;
            for (std::int64_t t = first; t < tokens; ++t) {
                double score = 0;
                for (std::int64_t i = 0; i < dk; ++i)
                    score += scale * value(q[query * dk + i]) * value(keys[t * dk + i]);
                weights.push_back(score);
            }
            const double greatest = *std::max_element(weights.begin(), weights.end());
            double sum = 0;
            for (double &weight : weights)
                sum += weight = std::exp(weight - greatest);
            for (std::int64_t t = first; t < tokens; ++t)
                for (std::int64_t i = 0; i < dv; ++i)
                    out[query * dv + i] += weights[t - first] / sum * value(values[t * dv + i]);
        }
        return out;
    }

    std::int64_t tokens, queries, dk, dv;
    float scale;
    std::vector<float> q;
    std::vector<T> keys, values;
};

void compare(const std::vector<float> &got, const std::vector<double> &wanted, double magnitude)
{
    QCOMPARE(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i)
        if (!(std::abs(got[i] - wanted[i]) <= kTolerance * magnitude))
            QFAIL(qPrintable(QString("number %1 is %2 instead of %3").arg(i).arg(got[i]).arg(wanted[i])));
}

/// The last `tokens - first` rows, as with a sliding window.
template <class T>
void checkAttention(std::int64_t tokens, std::int64_t first, std::int64_t queries, std::int64_t dk, std::int64_t dv,
                    const std::vector<std::int64_t> &lengths)
{
    const Head<T> head(tokens, queries, dk, dv, static_cast<float>(1 / std::sqrt(static_cast<double>(dk))));
    const std::vector<double> wanted = head.plain(first);
    for (const std::int64_t length : lengths) {
        compare(head.attend(first, length), wanted, 1);
        if (QTest::currentTestFailed())
            QFAIL(qPrintable(QString("tokens %1 to %2, %3 at a time, %4 queries, sizes %5 and %6")
                                 .arg(first).arg(tokens).arg(length).arg(queries).arg(dk).arg(dv)));
    }
}

template <class T>
void checkProduct(std::int64_t rows, std::int64_t columns)
{
    const std::int64_t first = 2;
    const auto W = noise<T>((first + rows) * columns, 4);
    const auto x = noise<float>(columns, 5);
    std::vector<float> y(static_cast<std::size_t>(rows) + 1, 7.0f);  // the last is nobody's
    kernels::product(kernels::DenseMatrix<T>{W.data(), columns}, first, rows, x.data(), y.data());
    std::vector<double> wanted(y.size());
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j)
            wanted[i] += value(W[(first + i) * columns + j]) * x[j];
    wanted.back() = 7;
    compare(y, wanted, std::sqrt(static_cast<double>(columns)));
}

} // namespace

class OneTokenTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cleanup() { hwy::SetSupportedTargetsForTest(0); }

    void groupsAndSizes() { onEveryTarget([] {
        for (const std::int64_t queries : {1, 2, 3, 5, 8})
            for (const auto &[dk, dv] : {std::pair{1, 1}, {7, 5}, {16, 33}, {64, 64}, {72, 80}, {100, 130}}) {
                checkAttention<float>(37, 0, queries, dk, dv, {37, 16});
                checkAttention<BFloat16>(37, 0, queries, dk, dv, {37, 16});
            }
    }); }

    void everyCountOfTokens() { onEveryTarget([] {
        for (std::int64_t tokens = 1; tokens <= 140; ++tokens)
            checkAttention<float>(tokens, 0, 3, 16, 8, {kernels::kMostAttended, 64, 5});
    }); }

    void longContextsAndWindows() { onEveryTarget([] {
        for (const std::int64_t tokens : {511, 512, 513, 1000, 1024, 2049})
            for (const std::int64_t first : {std::int64_t(0), tokens - 300}) {
                checkAttention<float>(tokens, first, 3, 64, 64, {kernels::kMostAttended, 128});
                checkAttention<BFloat16>(tokens, first, 2, 64, 48, {kernels::kMostAttended, 250});
            }
    }); }

    /// The greatest score decides, whichever range has it.
    void largeScores() { onEveryTarget([] {
        Head<float> head(40, 3, 16, 16, 1000);
        for (const std::size_t winner : {std::size_t(0), std::size_t(13), std::size_t(39)}) {
            std::fill(head.keys.begin(), head.keys.end(), 0.0f);
            for (std::size_t query = 0; query < 3; ++query)
                for (std::size_t i = 0; i < 16; ++i)
                    head.keys[winner * 16 + i] += head.q[query * 16 + i];
            for (const std::int64_t length : {40, 12})
                compare(head.attend(0, length), head.plain(0), 4);
        }
    }); }

    void notANumberStays() { onEveryTarget([] {
        for (const std::int64_t token : {0, 9, 20, 36})
            for (const std::int64_t length : {37, 10}) {
                Head<float> keys(37, 5, 24, 20, 1), values = keys;
                keys.keys[static_cast<std::size_t>(token * keys.dk + 23)] = kNotANumber;
                for (const float x : keys.attend(0, length))
                    QVERIFY(std::isnan(x));
                values.values[static_cast<std::size_t>(token * values.dv + 17)] = kNotANumber;
                const std::vector<float> out = values.attend(0, length);
                for (std::size_t i = 0; i < out.size(); ++i)
                    QCOMPARE(std::isnan(out[i]), i % 20 == 17);
            }
    }); }

    void denseProducts() { onEveryTarget([] {
        for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 8, 113})
            for (const std::int64_t columns : {1, 15, 16, 31, 32, 100, 576}) {
                checkProduct<float>(rows, columns);
                checkProduct<BFloat16>(rows, columns);
            }
    }); }
};

QTEST_GUILESS_MAIN(OneTokenTest)
#include "tst_onetoken.moc"
