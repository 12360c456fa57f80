#include "plot/ticks.h"

#include <QLocale>

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

// More marks than these clutter an axis however long it is.
constexpr int MostIntegers = 16;
constexpr int MostValues = 8;

std::vector<Tick> logarithmicTicks(double lower, double upper, int capacity)
{
    const double first = std::floor(std::log10(lower));
    const double last = std::ceil(std::log10(upper));
    static const std::vector<std::vector<double>> choices{{1, 2, 5}, {1, 3}, {1}};
    std::vector<Tick> ticks;
    for (const std::vector<double> &factors : choices) {
        ticks.clear();
        for (double decade = first; decade <= last; ++decade) {
            for (const double factor : factors) {
                const double at = factor * std::pow(10, decade);
                if (at >= lower * (1 - 1e-9) && at <= upper * (1 + 1e-9))
                    ticks.push_back({at, formatValue(at, 1)});
            }
        }
        if (int(ticks.size()) <= capacity)
            return ticks;
    }
    const std::size_t each = (ticks.size() + std::size_t(capacity) - 1) / std::size_t(capacity);
    std::vector<Tick> fewer;
    for (std::size_t i = 0; i < ticks.size(); i += each)
        fewer.push_back(ticks[i]);
    return fewer;
}

} // namespace

int tickCapacity(double pixels, double pixelsEach)
{
    return std::max(2, int(pixels / std::max(1.0, pixelsEach)));
}

std::vector<Tick> integerTicks(double lower, double upper, int capacity)
{
    const double first = std::ceil(lower);
    const double last = std::floor(upper);
    if (!(last >= first))
        return {};
    const int most = std::clamp(capacity, 1, MostIntegers);
    double step = 1;
    for (int round = 0; std::floor(last / step) - std::ceil(first / step) + 1 > most; ++round)
        step *= round % 3 == 1 ? 2.5 : 2;
    std::vector<Tick> ticks;
    for (double at = std::ceil(first / step) * step; at <= last; at += step)
        ticks.push_back({at, QLocale().toString(qint64(at))});
    return ticks;
}

std::vector<Tick> labelTicks(const QStringList &labels, double lower, double upper, int capacity)
{
    const qsizetype first = std::max<qsizetype>(0, qsizetype(std::ceil(lower)));
    const qsizetype last = std::min<qsizetype>(labels.size() - 1, qsizetype(std::floor(upper)));
    if (last - first + 1 > capacity)
        return integerTicks(first, last, capacity);
    std::vector<Tick> ticks;
    for (qsizetype at = first; at <= last; ++at)
        ticks.push_back({double(at), labels[at]});
    return ticks;
}

std::vector<Tick> valueTicks(double lower, double upper, int capacity, bool logarithmic)
{
    capacity = std::min(capacity, MostValues);
    if (!(upper > lower))
        return {};
    if (logarithmic && lower > 0 && upper / lower >= 4)
        return logarithmicTicks(lower, upper, capacity);
    const double rough = (upper - lower) / std::max(1, capacity);
    const double magnitude = std::pow(10, std::floor(std::log10(rough)));
    double step = magnitude;
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
        step = factor * magnitude;
        if (std::floor(upper / step) - std::ceil(lower / step) + 1 <= capacity)
            break;
    }
    const int decimals = std::max(0, -int(std::floor(std::log10(step) + 1e-9)));
    std::vector<Tick> ticks;
    for (double index = std::ceil(lower / step - 1e-9); index * step <= upper + step * 1e-9; ++index) {
        const double at = index * step;
        const bool plain = decimals <= 5 && std::abs(upper) < 1e6;
        ticks.push_back({at, plain ? QLocale().toString(at, 'f', decimals) : formatValue(at)});
    }
    return ticks;
}

QString formatValue(double value, int significant)
{
    if (std::isnan(value))
        return QStringLiteral("–");
    const QLocale locale;
    if (std::isinf(value))
        return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
    if (value == 0)
        return locale.toString(0);
    const int exponent = int(std::floor(std::log10(std::abs(value))));
    if (exponent < -4 || exponent > 6)
        return locale.toString(value, 'e', std::max(0, significant - 2));
    return locale.toString(value, 'f', std::max(0, significant - 1 - exponent));
}

QString formatToken(const QString &text, int limit)
{
    QString shown;
    for (const QChar character : text) {
        if (character == QLatin1Char('\n'))
            shown += QStringLiteral("↵");
        else if (character == QLatin1Char('\t'))
            shown += QStringLiteral("⇥");
        else if (character == QLatin1Char(' '))
            shown += QStringLiteral("·");
        else if (character.category() == QChar::Other_Control)
            shown += QChar(0xfffd);
        else
            shown += character;
    }
    if (shown.size() > limit)
        shown = shown.left(limit - 1) + QStringLiteral("…");
    return QStringLiteral("“%1”").arg(shown);
}

QString plainToolTip(const QString &text)
{
    return QStringLiteral("<p style='white-space:pre'>%1</p>").arg(text.toHtmlEscaped());
}

} // namespace lens
