// Attention matrices and errors as heat maps. No widgets.
#pragma once

#include "plot/heatmapplot.h"
#include "probe/frames.h"

#include <QStringList>

namespace lens {

/// second - first; empty when the shapes differ.
Matrix difference(const Matrix &first, const Matrix &second);

/// Extremes of the causal part (column <= row), 0 included; the smallest positive value instead when `positive`.
ValueRange causalRange(const Matrix &matrix, bool positive);

/// The value below which lies this share of the causal magnitudes of all matrices together; the largest one when
/// `share` is 1, 0 for none.
double causalQuantile(const std::vector<const Matrix *> &matrices, double share);

/// What the colour of a cell stands for. Read-outs and tables always have the signed value.
enum class CellColour { Value, Magnitude };

/// A causal matrix over one text: rows are queries, columns are keys; the future stays transparent.
class MatrixSource : public HeatMapSource {
public:
    MatrixSource(Matrix matrix, QStringList tokens, QString quantity, CellColour colour = CellColour::Value)
        : m_matrix(std::move(matrix)), m_tokens(std::move(tokens)), m_quantity(std::move(quantity)), m_colour(colour)
    {
    }

    qsizetype rows() const override { return m_matrix.rows; }
    qsizetype columns() const override { return m_matrix.columns; }
    float value(qsizetype row, qsizetype column) const override;
    ValueRange range(bool logarithmic) const override;
    QStringList fieldNames() const override;
    QVariantList fields(qsizetype row, qsizetype column) const override;
    QString readOut(qsizetype row, qsizetype column) const override;

private:
    Matrix m_matrix;
    QStringList m_tokens;
    QString m_quantity;
    CellColour m_colour;

    float signedValue(qsizetype row, qsizetype column) const;
};

/// Errors of every head: rows are heads, columns are layers.
class ErrorSource : public HeatMapSource {
public:
    enum Metric { Frobenius, Cosine };

    ErrorSource(AttentionErrors errors, Metric metric) : m_errors(std::move(errors)), m_metric(metric) {}

    qsizetype rows() const override { return m_errors.heads; }
    qsizetype columns() const override { return m_errors.layers; }
    float value(qsizetype row, qsizetype column) const override;
    ValueRange range(bool logarithmic) const override;
    QStringList fieldNames() const override;
    QVariantList fields(qsizetype row, qsizetype column) const override;
    QString readOut(qsizetype row, qsizetype column) const override;

private:
    AttentionErrors m_errors;
    Metric m_metric;

    float at(const std::vector<float> &values, qsizetype row, qsizetype column) const;
};

} // namespace lens
