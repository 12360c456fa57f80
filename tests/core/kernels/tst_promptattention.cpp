// Attention of many tokens, for every instruction set of this machine, against plain loops in double precision.
#include "kernels/promptattention.h"
#include "everytarget.h"
#include "noise.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace lens;
using namespace lens::test;
using kernels::BFloat16;
using kernels::PromptAttention;

namespace {

/// Tokens with their heads behind one another, and a cache; nothing is written between the heads of different tokens.
template <class T>
struct Prompt {
    Prompt(std::int64_t tokens, std::int64_t heads, std::int64_t dk, std::int64_t dv, std::int64_t before, std::int64_t window, float size)
        : shape{tokens, heads, dk, dv, before, window, heads * dk + 3, dk, heads * dv + kGap, dv, 1 / std::sqrt(static_cast<float>(dk))},
          q(noise<T>(tokens * shape.queryToken, 1, size)), keys(noise<T>((before + tokens) * dk, 2, size)),
          values(noise<T>((before + tokens) * dv, 3, 1)), out(static_cast<std::size_t>(tokens * shape.outToken), T(7)),
          scratch(static_cast<std::size_t>(kernels::scratchOf(shape)), std::numeric_limits<float>::quiet_NaN())
    {
    }

    void attend() { kernels::attendMany(shape, q.data(), keys.data(), values.data(), scratch.data(), out.data()); }

    double plain(std::int64_t token, std::int64_t head, std::int64_t column) const
    {
        const std::int64_t end = shape.before + token + 1, begin = shape.window > 0 ? std::max<std::int64_t>(0, end - shape.window) : 0;
        std::vector<double> scores;
        for (std::int64_t s = begin; s < end; ++s) {
            double score = 0;
            for (std::int64_t i = 0; i < shape.dk; ++i)
                score += value(q[static_cast<std::size_t>(token * shape.queryToken + head * shape.queryHead + i)])
                         * value(keys[static_cast<std::size_t>(s * shape.dk + i)]);
            scores.push_back(score * double(shape.scale));
        }
        const double greatest = *std::max_element(scores.begin(), scores.end());
        double total = 0, sum = 0;
        for (std::int64_t s = begin; s < end; ++s) {
            const double weight = std::exp(scores[static_cast<std::size_t>(s - begin)] - greatest);
            total += weight;
            sum += weight * value(values[static_cast<std::size_t>(s * shape.dv + column)]);
        }
        return sum / total;
    }

    double at(std::int64_t token, std::int64_t head, std::int64_t column) const
    {
        return value(out[static_cast<std::size_t>(token * shape.outToken + head * shape.outHead + column)]);
    }

    static constexpr std::int64_t kGap = 5;
    PromptAttention shape;
    std::vector<T> q, keys, values, out;
    std::vector<float> scratch;
};

/// Of a number of the size of the values, which is about one.
template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 1e-5 : 1.0 / 128;

template <class T>
void checkPrompt(Prompt<T> prompt, double tolerance = kTolerance<T>)
{
    const PromptAttention &shape = prompt.shape;
    std::vector<double> expected;
    for (std::int64_t token = 0; token < shape.tokens; ++token)
        for (std::int64_t head = 0; head < shape.heads; ++head)
            for (std::int64_t column = 0; column < shape.dv; ++column)
                expected.push_back(prompt.plain(token, head, column));
    onEveryTarget([&] {
        prompt.attend();
        auto wanted = expected.begin();
        for (std::int64_t token = 0; token < shape.tokens; ++token) {
            for (std::int64_t head = 0; head < shape.heads; ++head)
                for (std::int64_t column = 0; column < shape.dv; ++column, ++wanted)
                    QVERIFY2(std::abs(prompt.at(token, head, column) - *wanted) <= tolerance * std::max(1.0, std::abs(*wanted)),
                             qPrintable(QString("token %1 head %2").arg(token).arg(head)));
            for (std::int64_t i = 0; i < Prompt<T>::kGap; ++i)
                QCOMPARE(prompt.out[static_cast<std::size_t>(token * shape.outToken + shape.heads * shape.dv + i)], T(7));
        }
    });
}

} // namespace

class PromptAttentionTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cleanup() { hwy::SetSupportedTargetsForTest(0); }

    void agreesWithPlainLoops_data()
    {
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("heads");
        QTest::addColumn<int>("dk");
        QTest::addColumn<int>("dv");
        QTest::addColumn<int>("before");
        QTest::addColumn<int>("window");
        QTest::addRow("one token") << 1 << 1 << 4 << 4 << 0 << 0;
        QTest::addRow("one token behind others") << 1 << 3 << 8 << 8 << 200 << 0;
        QTest::addRow("two tokens") << 2 << 1 << 16 << 16 << 0 << 0;
        QTest::addRow("a block of a prompt") << 64 << 3 << 64 << 64 << 0 << 0;
        QTest::addRow("a later block") << 64 << 3 << 64 << 64 << 192 << 0;
        QTest::addRow("the cache in several blocks, the last one short") << 37 << 2 << 32 << 32 << 300 << 0;
        QTest::addRow("exactly a block") << 128 << 1 << 8 << 8 << 0 << 0;
        QTest::addRow("one more than a block") << 129 << 1 << 8 << 8 << 0 << 0;
        QTest::addRow("odd sizes") << 13 << 5 << 7 << 19 << 11 << 0;
        QTest::addRow("heads of one number") << 9 << 2 << 1 << 1 << 140 << 0;
        QTest::addRow("wide values") << 7 << 1 << 20 << 100 << 3 << 0;
        QTest::addRow("a window within a block") << 50 << 2 << 16 << 16 << 30 << 9;
        QTest::addRow("a window over blocks") << 40 << 1 << 16 << 16 << 400 << 150;
        QTest::addRow("a window of one token") << 20 << 2 << 8 << 8 << 130 << 1;
        QTest::addRow("a window longer than everything") << 20 << 2 << 8 << 8 << 10 << 1000;
    }

    void agreesWithPlainLoops()
    {
        QFETCH(int, tokens);
        QFETCH(int, heads);
        QFETCH(int, dk);
        QFETCH(int, dv);
        QFETCH(int, before);
        QFETCH(int, window);
        checkPrompt(Prompt<float>(tokens, heads, dk, dv, before, window, 1));
        if (QTest::currentTestFailed())
            return;
        checkPrompt(Prompt<BFloat16>(tokens, heads, dk, dv, before, window, 1));
    }

    /// Scores of hundreds, whose exponentials alone would not be numbers, and whose rounding weighs more.
    void largeScores() { checkPrompt(Prompt<float>(40, 2, 16, 16, 150, 0, 8), 1e-4); }

    /// What is no number in a token's query stays there; in a value it reaches everybody who sees it.
    void whatIsNoNumberStaysNone()
    {
        onEveryTarget([&] {
            Prompt<float> prompt(20, 1, 8, 8, 0, 0, 1);
            prompt.q[static_cast<std::size_t>(3 * prompt.shape.queryToken)] = std::numeric_limits<float>::quiet_NaN();
            prompt.attend();
            for (std::int64_t token = 0; token < 20; ++token)
                QCOMPARE(std::isfinite(prompt.at(token, 0, 0)), token != 3);
            prompt.values[static_cast<std::size_t>(10 * prompt.shape.dv)] = std::numeric_limits<float>::infinity();
            prompt.attend();
            for (std::int64_t token = 10; token < 20; ++token) {
                QVERIFY(!std::isfinite(prompt.at(token, 0, 0)));
                QVERIFY(std::isfinite(prompt.at(token, 0, 1)));
            }
        });
    }
};

QTEST_GUILESS_MAIN(PromptAttentionTest)
#include "tst_promptattention.moc"
