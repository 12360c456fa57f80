// Numbers in two parts, for every instruction set of this machine.
#include "kernels/split.h"

#include <QTest>
#include <bit>
#include <cmath>
#include <hwy/highway.h>
#include <limits>
#include <random>
#include <vector>

using namespace lens;
using kernels::BFloat16;

namespace {

float wide(BFloat16 number)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(number) << 16);
}

template <class Check>
void onEveryTarget(const Check &check)
{
    for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
        hwy::SetSupportedTargetsForTest(targets & -targets);
        check(hwy::TargetName(targets & -targets));
        hwy::SetSupportedTargetsForTest(0);
    }
}

} // namespace

class SplitTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cleanup() { hwy::SetSupportedTargetsForTest(0); }

    void bothPartsTogether()
    {
        std::mt19937 generator(5);
        std::normal_distribution<float> normal;
        std::vector<float> x(533);
        for (float &number : x)
            number = normal(generator) * std::exp2(normal(generator) * 8);
        x[0] = 0;
        x[532] = -1.00390625f;  // halfway between two bfloat16 numbers
        onEveryTarget([&](const char *target) {
            std::vector<BFloat16> high(x.size()), low(x.size());
            kernels::split(static_cast<std::int64_t>(x.size()), x.data(), high.data(), low.data());
            for (std::size_t i = 0; i < x.size(); ++i) {
                QVERIFY2(std::abs(double(wide(high[i])) - x[i]) <= std::abs(x[i]) / 256, target);
                QVERIFY2(std::abs(double(wide(high[i])) + wide(low[i]) - x[i]) <= std::abs(x[i]) / 65536, target);
            }
        });
    }

    void noNumberStaysNone()
    {
        const std::vector<float> x{std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
        onEveryTarget([&](const char *target) {
            std::vector<BFloat16> high(2), low(2);
            kernels::split(2, x.data(), high.data(), low.data());
            QVERIFY2(std::isinf(wide(high[0])) && std::isnan(wide(high[1])), target);
        });
    }
};

QTEST_GUILESS_MAIN(SplitTest)
#include "tst_split.moc"
