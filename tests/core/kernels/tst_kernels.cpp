// Every kernel, compiled for every instruction set that this machine has, against plain loops in double precision.
#include "kernels/logits.h"
#include "kernels/rmsnorm.h"
#include "kernels/rotation.h"
#include "kernels/swiglu.h"
#include "kernels/vocabularyloss.h"
#include "everytarget.h"
#include "noise.h"

#include <QTest>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace lens;
using namespace lens::test;
using kernels::BFloat16;

namespace {

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 4e-6 : 1.0 / 250;

/// The error may be as large as that of a sum whose terms have the given magnitude.
template <class T>
void compare(const std::vector<T> &got, const std::vector<double> &wanted, double magnitude = 0.01)
{
    QCOMPARE(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i)
        if (!(std::abs(value(got[i]) - wanted[i]) <= tolerance<T> * std::max(std::abs(wanted[i]), magnitude)))
            QFAIL(qPrintable(QString("number %1 is %2 instead of %3").arg(i).arg(value(got[i])).arg(wanted[i])));
}

template <class T>
void checkRotation(const kernels::RotationShape &shape)
{
    const auto x = noise<T>((shape.tokens - 1) * shape.tokenStride + (shape.heads - 1) * shape.headStride + shape.width, 1);
    const auto angles = noise<float>(shape.tokens * shape.pairs, 2, 3);
    std::vector<float> cosine, sine;
    for (const float angle : angles) {
        cosine.push_back(std::cos(angle));
        sine.push_back(std::sin(angle));
    }
    std::vector<T> y(static_cast<std::size_t>(shape.tokens * shape.heads * shape.width));
    kernels::rotate(shape, x.data(), cosine.data(), sine.data(), y.data());
    std::vector<double> wanted(y.size());
    for (std::int64_t t = 0; t < shape.tokens; ++t)
        for (std::int64_t h = 0; h < shape.heads; ++h) {
            const T *head = x.data() + t * shape.tokenStride + h * shape.headStride;
            double *out = wanted.data() + (t * shape.heads + h) * shape.width;
            for (std::int64_t i = 2 * shape.pairs; i < shape.width; ++i)
                out[i] = value(head[i]);
            for (std::int64_t i = 0; i < shape.pairs; ++i) {
                const std::int64_t a = shape.interleaved ? 2 * i : i, b = shape.interleaved ? 2 * i + 1 : i + shape.pairs;
                const double c = cosine[t * shape.pairs + i], s = sine[t * shape.pairs + i];
                out[a] = value(head[a]) * c - value(head[b]) * s;
                out[b] = value(head[b]) * c + value(head[a]) * s;
            }
        }
    compare(y, wanted, 1);
}

template <class T>
void checkRmsNorm(std::int64_t rows, std::int64_t width, bool hasWeight)
{
    const double epsilon = 1e-5;
    const auto x = noise<T>(rows * width, 3), dY = noise<T>(rows * width, 4), weight = noise<T>(width, 5);
    std::vector<T> y(x.size()), dX(x.size());
    std::vector<float> dWeight(weight.size(), 0.5f);  // added to
    const T *w = hasWeight ? weight.data() : nullptr;
    kernels::rmsNorm(rows, width, x.data(), w, static_cast<float>(epsilon), y.data());
    kernels::rmsNormBackward(rows, width, x.data(), w, static_cast<float>(epsilon), dY.data(), dX.data(),
                             hasWeight ? dWeight.data() : nullptr);
    std::vector<double> wantedY, wantedX, wantedWeight(weight.size(), 0.5);
    double steepest = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto at = [&](const std::vector<T> &of, std::int64_t i) { return value(of[static_cast<std::size_t>(row * width + i)]); };
        const auto factor = [&](std::int64_t i) { return hasWeight ? value(weight[static_cast<std::size_t>(i)]) : 1; };
        double squares = 0, along = 0;
        for (std::int64_t i = 0; i < width; ++i)
            squares += at(x, i) * at(x, i);
        const double inverse = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
        steepest = std::max(steepest, inverse);
        for (std::int64_t i = 0; i < width; ++i)
            along += at(dY, i) * factor(i) * at(x, i) * inverse / static_cast<double>(width);
        for (std::int64_t i = 0; i < width; ++i) {
            wantedY.push_back(at(x, i) * inverse * factor(i));
            wantedX.push_back((at(dY, i) * factor(i) - at(x, i) * inverse * along) * inverse);
            wantedWeight[static_cast<std::size_t>(i)] += at(dY, i) * at(x, i) * inverse;
        }
    }
    compare(y, wantedY);
    compare(dX, wantedX, steepest);
    if (hasWeight)
        compare(dWeight, wantedWeight, 1);
}

template <class T>
void checkSwiGlu(std::int64_t n)
{
    auto gate = noise<T>(n, 6, 4);
    gate.front() = nearest<T>(-200);  // exp(200) is no float32
    const auto up = noise<T>(n, 7), dY = noise<T>(n, 8);
    std::vector<T> y(gate.size()), dGate(gate.size()), dUp(gate.size());
    kernels::swiGlu(n, gate.data(), up.data(), y.data());
    kernels::swiGluBackward(n, gate.data(), up.data(), dY.data(), dGate.data(), dUp.data());
    std::vector<double> wantedY, wantedGate, wantedUp;
    for (std::size_t i = 0; i < gate.size(); ++i) {
        const double g = value(gate[i]), s = 1 / (1 + std::exp(-g));
        wantedY.push_back(g * s * value(up[i]));
        wantedGate.push_back(value(dY[i]) * value(up[i]) * s * (1 + g * (1 - s)));
        wantedUp.push_back(value(dY[i]) * g * s);
    }
    compare(y, wantedY);
    compare(dGate, wantedGate);
    compare(dUp, wantedUp);
}

template <class T>
std::vector<double> softmax(const std::vector<T> &logits)
{
    std::vector<double> p;
    double sum = 0;
    for (const T x : logits)
        sum += std::exp(value(x));
    for (const T x : logits)
        p.push_back(std::exp(value(x)) / sum);
    return p;
}

template <class T>
void checkVocabularyLoss(std::int64_t vocabulary, bool distils, bool inPlace)
{
    const float share = 0.7f, scale = 0.25f;
    auto own = noise<T>(vocabulary, 9, 3);
    const auto original = noise<T>(vocabulary, 10, 3);
    const auto target = static_cast<std::size_t>(vocabulary / 2);
    const std::vector<double> p = softmax(own), q = softmax(original);
    const double truth = distils ? 1 - share : 1;
    double wanted = -truth * std::log(p[target]);
    std::vector<double> wantedGradient;
    for (std::size_t i = 0; i < p.size(); ++i) {
        wanted += distils ? share * q[i] * std::log(q[i] / p[i]) : 0;
        wantedGradient.push_back(scale * (p[i] - (distils ? share * q[i] : 0) - (i == target ? truth : 0)));
    }
    std::vector<T> other(own.size());
    const T *reference = distils ? original.data() : nullptr;
    const auto loss = [&](T *gradient) {
        return kernels::vocabularyLoss(vocabulary, own.data(), reference, static_cast<std::int64_t>(target), share, scale, gradient);
    };
    QVERIFY(std::abs(loss(nullptr) - wanted) < 1e-5 * std::max(1.0, std::abs(wanted)));
    QVERIFY(std::abs(loss(inPlace ? own.data() : other.data()) - wanted) < 1e-5 * std::max(1.0, std::abs(wanted)));
    compare(inPlace ? own : other, wantedGradient);
}

} // namespace

class KernelsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cleanup() { hwy::SetSupportedTargetsForTest(0); }

    void rotation() { onEveryTarget([] {
        for (const bool interleaved : {false, true})
            for (const std::int64_t pairs : {1, 5, 16, 24, 32})
                for (const bool strided : {false, true}) {
                    const std::int64_t width = 2 * pairs + (pairs % 2) * 3, heads = 3;
                    const kernels::RotationShape shape{4, heads, width, strided ? width : heads * width, strided ? 4 * width : width,
                                                       pairs, interleaved};
                    checkRotation<float>(shape);
                    checkRotation<BFloat16>(shape);
                }
    }); }

    void rmsNorm() { onEveryTarget([] {
        for (const std::int64_t width : {1, 7, 16, 61, 576})
            for (const bool hasWeight : {false, true}) {
                checkRmsNorm<float>(3, width, hasWeight);
                checkRmsNorm<BFloat16>(3, width, hasWeight);
            }
    }); }

    void swiGlu() { onEveryTarget([] {
        for (const std::int64_t n : {1, 15, 16, 100, 1536}) {
            checkSwiGlu<float>(n);
            checkSwiGlu<BFloat16>(n);
        }
    }); }

    void vocabularyLoss() { onEveryTarget([] {
        for (const std::int64_t n : {2, 31, 512, 5003})
            for (const bool distils : {false, true})
                for (const bool inPlace : {false, true}) {
                    checkVocabularyLoss<float>(n, distils, inPlace);
                    checkVocabularyLoss<BFloat16>(n, distils, inPlace);
                }
    }); }

    /// Large logits do not overflow, and equal ones diverge by nothing.
    void vocabularyLossOfExtremes() { onEveryTarget([] {
        const std::vector<float> own{1e4f, -1e4f, 1e4f, 0}, same = own;
        std::vector<float> gradient(own.size());
        const float loss = kernels::vocabularyLoss(4, own.data(), same.data(), 0, 1, 1, gradient.data());
        QVERIFY(std::abs(loss) < 1e-6f);
        for (const float x : gradient)
            QVERIFY(std::abs(x) < 1e-6f);
    }); }

    /// A number that is none must be seen by whoever looks for it, wherever it stands.
    void notANumberStays() { onEveryTarget([] {
        for (const std::size_t place : {std::size_t(0), std::size_t(20), std::size_t(36)}) {
            auto x = noise<BFloat16>(37, 11);
            x[place] = static_cast<BFloat16>(0x7FFF);
            const auto up = noise<BFloat16>(37, 12);
            std::vector<BFloat16> y(x.size());
            kernels::swiGlu(37, x.data(), up.data(), y.data());
            QVERIFY(std::isnan(value(y[place])));
            kernels::rmsNorm(1, 37, x.data(), static_cast<const BFloat16 *>(nullptr), 1e-5f, y.data());
            QVERIFY(std::isnan(value(y[5])));
            QVERIFY(std::isnan(kernels::vocabularyLoss(37, x.data(), nullptr, 3, 0, 1, nullptr)));
        }
    }); }

    void roundsToNearestEven() { onEveryTarget([] {
        std::vector<float> x;
        for (const std::uint32_t bits : {0x3F808000u, 0x3F818000u, 0x3F808001u, 0x3F807FFFu, 0xBF818000u, 0x00000001u, 0x7F7FFFFFu})
            x.push_back(std::bit_cast<float>(bits));
        while (x.size() < 32)
            x.push_back(x[x.size() % 7] * 1.37f);
        // Turned by no angle, numbers of bfloat16 come back as they are; a cosine that is none is rounded with them.
        std::vector<BFloat16> one(64, static_cast<BFloat16>(0x3F80)), y(64);
        const std::vector<float> zero(32, 0.0f);
        kernels::rotate({1, 1, 64, 64, 64, 32, true}, one.data(), x.data(), zero.data(), y.data());
        for (std::size_t i = 0; i < x.size(); ++i)
            QCOMPARE(static_cast<int>(y[2 * i]), static_cast<int>(nearest<BFloat16>(x[i])));
    }); }

    void greatestLogit() { onEveryTarget([] {
        for (const std::int64_t n : {1, 3, 16, 100, 1023, 1024, 1025, 5000}) {
            std::vector<float> x = noise<float>(n, 8);
            const auto best = std::max_element(x.begin(), x.end()) - x.begin();
            QCOMPARE(kernels::greatest(n, x.data()), best);
            x.push_back(x[static_cast<std::size_t>(best)]);  // as great, but later
            QCOMPARE(kernels::greatest(n + 1, x.data()), best);
            for (const float wrong : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                                      std::numeric_limits<float>::quiet_NaN()}) {
                x.back() = wrong;
                QCOMPARE(kernels::greatest(n + 1, x.data()), std::int64_t{-1});
            }
        }
        const std::vector<float> lowest(2000, std::numeric_limits<float>::lowest());
        QCOMPARE(kernels::greatest(std::ssize(lowest), lowest.data()), std::int64_t{0});
    }); }

    void sumOfExponentials() { onEveryTarget([] {
        for (const std::int64_t n : {1, 7, 1024, 3000, 50000}) {
            const auto x = noise<float>(n, 9, 4);
            const float most = *std::max_element(x.begin(), x.end()), scale = n % 2 == 0 ? 0.5f : 1;
            double wanted = 0;
            for (const float number : x)
                wanted += std::exp((static_cast<double>(number) - most) * scale);
            QVERIFY(std::abs(kernels::sumOfExponentials(n, x.data(), most, scale) / wanted - 1) < 1e-13);
        }
        const float equal[2] = {1000, 1000};
        QCOMPARE(kernels::sumOfExponentials(2, equal, 1000, 1), 2.0);
    }); }
};

QTEST_GUILESS_MAIN(KernelsTest)
#include "tst_kernels.moc"
