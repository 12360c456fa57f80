#include "lens/attentionsource.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

QString tr(const char *text)
{
    return QCoreApplication::translate("AttentionDock", text);
}

QString named(const QStringList &tokens, qsizetype token)
{
    const QString text = tokens.value(token);
    return text.isEmpty() ? QString::number(token) : QStringLiteral("%1 %2").arg(token).arg(formatToken(text));
}

} // namespace

Matrix difference(const Matrix &first, const Matrix &second)
{
    if (first.rows != second.rows || first.columns != second.columns)
        return {};
    Matrix result = second;
    for (std::size_t i = 0; i < result.values.size(); ++i)
        result.values[i] -= first.values[i];
    return result;
}

ValueRange causalRange(const Matrix &matrix, bool positive)
{
    ValueRange range{positive ? std::numeric_limits<double>::infinity() : 0.0, 0.0};
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        for (std::int64_t column = 0; column <= std::min(row, matrix.columns - 1); ++column) {
            const double value = matrix.at(row, column);
            if (!std::isfinite(value) || (positive && value <= 0))
                continue;
            range.lower = std::min(range.lower, value);
            range.upper = std::max(range.upper, value);
        }
    }
    return range;
}

double causalQuantile(const std::vector<const Matrix *> &matrices, double share)
{
    std::vector<float> magnitudes;
    for (const Matrix *matrix : matrices)
        for (std::int64_t row = 0; row < matrix->rows; ++row)
            for (std::int64_t column = 0; column <= std::min(row, matrix->columns - 1); ++column)
                if (const float value = matrix->at(row, column); std::isfinite(value))
                    magnitudes.push_back(std::abs(value));
    if (magnitudes.empty())
        return 0;
    const auto nth = magnitudes.begin() + std::ptrdiff_t(share * double(magnitudes.size() - 1));
    std::nth_element(magnitudes.begin(), nth, magnitudes.end());
    return *nth;
}

float MatrixSource::signedValue(qsizetype row, qsizetype column) const
{
    return column > row ? std::numeric_limits<float>::quiet_NaN() : m_matrix.at(row, column);
}

float MatrixSource::value(qsizetype row, qsizetype column) const
{
    const float value = signedValue(row, column);
    return m_colour == CellColour::Magnitude ? std::abs(value) : value;
}

ValueRange MatrixSource::range(bool logarithmic) const
{
    const ValueRange range = causalRange(m_matrix, logarithmic);
    if (logarithmic || m_colour == CellColour::Value)
        return range;
    return {0, std::max(range.upper, -range.lower)};
}

QStringList MatrixSource::fieldNames() const
{
    return {tr("Key"), tr("Key text"), tr("Query"), tr("Query text"), m_quantity};
}

QVariantList MatrixSource::fields(qsizetype row, qsizetype column) const
{
    return {qint64(column), m_tokens.value(column), qint64(row), m_tokens.value(row), signedValue(row, column)};
}

QString MatrixSource::readOut(qsizetype row, qsizetype column) const
{
    if (column > row)
        return {};
    return tr("Query %1\nKey %2\n%3 %4")
        .arg(named(m_tokens, row), named(m_tokens, column), m_quantity, formatValue(signedValue(row, column)));
}

float ErrorSource::at(const std::vector<float> &values, qsizetype row, qsizetype column) const
{
    const auto index = std::size_t(column * m_errors.heads + row);
    return index < values.size() ? values[index] : std::numeric_limits<float>::quiet_NaN();
}

float ErrorSource::value(qsizetype row, qsizetype column) const
{
    return at(m_metric == Frobenius ? m_errors.frobenius : m_errors.cosine, row, column);
}

ValueRange ErrorSource::range(bool) const
{
    const std::vector<float> &values = m_metric == Frobenius ? m_errors.frobenius : m_errors.cosine;
    ValueRange range{0, 0};
    for (const float value : values)
        if (std::isfinite(value))
            range.upper = std::max(range.upper, double(value));
    return range;
}

QStringList ErrorSource::fieldNames() const
{
    return {tr("Layer"), tr("Head"), tr("Frobenius error"), tr("Cosine error")};
}

QVariantList ErrorSource::fields(qsizetype row, qsizetype column) const
{
    return {qint64(column), qint64(row), at(m_errors.frobenius, row, column), at(m_errors.cosine, row, column)};
}

QString ErrorSource::readOut(qsizetype row, qsizetype column) const
{
    return tr("Layer %1 · head %2\nFrobenius error %3\nCosine error %4")
        .arg(QString::number(column), QString::number(row), formatValue(at(m_errors.frobenius, row, column)),
             formatValue(at(m_errors.cosine, row, column)));
}

} // namespace lens
