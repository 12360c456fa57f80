#include "lens/headhistory.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

constexpr float Infinite = std::numeric_limits<float>::infinity();

QString tr(const char *text)
{
    return QCoreApplication::translate("HeadSource", text);
}

} // namespace

void HeadHistory::append(const HeadFrame &frame)
{
    const std::int64_t perToken = frame.layers * frame.heads;
    if (frame.tokens <= 0 || perToken <= 0 || frame.firstToken < 0
        || std::int64_t(frame.values.size()) != frame.tokens * perToken)
        return;
    if (frame.layers != m_layers || frame.heads != m_heads || frame.quantity != m_quantity) {
        m_values.clear();
        m_tokens = 0;
        m_quantity = frame.quantity;
        m_layers = frame.layers;
        m_heads = frame.heads;
        resetExtremes();
    }
    if (frame.firstToken < m_tokens) {
        m_values.resize(std::size_t(frame.firstToken * perToken));
        resetExtremes();
        addExtremes(0);
    } else {
        m_values.resize(std::size_t(frame.firstToken * perToken), std::numeric_limits<float>::quiet_NaN());
    }
    m_values.insert(m_values.end(), frame.values.begin(), frame.values.end());
    m_tokens = frame.firstToken + frame.tokens;
    addExtremes(frame.firstToken);
}

void HeadHistory::clear()
{
    m_values.clear();
    m_texts.clear();
    m_tokens = 0;
    resetExtremes();
}

void HeadHistory::resetExtremes()
{
    m_extremes.assign(std::size_t(m_layers * m_heads), {Infinite, Infinite, -Infinite});
}

void HeadHistory::addExtremes(std::int64_t firstToken)
{
    const std::size_t perToken = m_extremes.size();
    for (std::size_t at = std::size_t(firstToken) * perToken; at < m_values.size(); ++at) {
        const float value = m_values[at];
        if (!std::isfinite(value))
            continue;
        Extremes &extremes = m_extremes[at % perToken];
        extremes.lowest = std::min(extremes.lowest, value);
        extremes.highest = std::max(extremes.highest, value);
        if (value > 0)
            extremes.lowestPositive = std::min(extremes.lowestPositive, value);
    }
}

ValueRange HeadHistory::range(const RowLayout &rows, bool positive) const
{
    ValueRange range{Infinite, -Infinite};
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
        const Extremes &extremes = m_extremes[std::size_t(rows.layerOf(row) * m_heads + rows.headOf(row))];
        range.lower = std::min(range.lower, double(positive ? extremes.lowestPositive : extremes.lowest));
        range.upper = std::max(range.upper, double(extremes.highest));
    }
    return range;
}

void HeadHistory::setTexts(std::int64_t firstToken, const QStringList &texts)
{
    m_texts.resize(firstToken);
    m_texts += texts;
}

QStringList HeadSource::fieldNames() const
{
    return {tr("Token"), tr("Text"), tr("Layer"), tr("Head"),
            m_history->quantity() == HeadQuantity::StateNorm ? tr("Frobenius norm of the state") : tr("Retention")};
}

QVariantList HeadSource::fields(qsizetype row, qsizetype column) const
{
    return {qint64(column), m_history->text(column), qint64(m_rows.layerOf(row)), qint64(m_rows.headOf(row)),
            value(row, column)};
}

QString HeadSource::readOut(qsizetype row, qsizetype column) const
{
    const QString text = m_history->text(column);
    const QString token = text.isEmpty() ? QString() : QLatin1Char(' ') + formatToken(text);
    const QString symbol = m_history->quantity() == HeadQuantity::StateNorm ? tr("‖S‖") : tr("retention");
    return tr("Token %1%2\nLayer %3 · head %4\n%5 %6")
        .arg(QString::number(column), token, QString::number(m_rows.layerOf(row)), QString::number(m_rows.headOf(row)),
             symbol, formatValue(value(row, column), 4));
}

} // namespace lens
