// All of one quantity of one column's sequence, and the heat map's view of them. No widgets.
#pragma once

#include "lens/rowlayout.h"
#include "plot/heatmapplot.h"
#include "probe/frames.h"

#include <QStringList>

#include <memory>
#include <vector>

namespace lens {

class HeadHistory {
public:
    /// Replaces all tokens from frame.firstToken on; skipped ones become NaN. A frame of another shape or quantity starts
    /// anew.
    /// Frames that contradict themselves are ignored.
    void append(const HeadFrame &frame);
    void clear();

    HeadQuantity quantity() const { return m_quantity; }
    std::int64_t tokens() const { return m_tokens; }
    std::int64_t layers() const { return m_layers; }
    std::int64_t heads() const { return m_heads; }
    float value(std::int64_t token, std::int64_t layer, std::int64_t head) const
    {
        return m_values[std::size_t((token * m_layers + layer) * m_heads + head)];
    }

    /// Extremes of the rows of a layout; of positive values only when `positive`.
    ValueRange range(const RowLayout &rows, bool positive) const;

    /// Texts of tokens by position, for read-outs.
    void setTexts(std::int64_t firstToken, const QStringList &texts);
    QString text(std::int64_t token) const { return m_texts.value(token); }

private:
    struct Extremes {
        float lowest, lowestPositive, highest;
    };

    HeadQuantity m_quantity = HeadQuantity::StateNorm;
    std::int64_t m_tokens = 0;
    std::int64_t m_layers = 0;
    std::int64_t m_heads = 0;
    std::vector<float> m_values;
    std::vector<Extremes> m_extremes;  ///< per layer x head
    QStringList m_texts;

    void resetExtremes();
    void addExtremes(std::int64_t firstToken);
};

/// Rows of a layout over all tokens.
class HeadSource : public HeatMapSource {
public:
    HeadSource(std::shared_ptr<const HeadHistory> history, RowLayout rows)
        : m_history(std::move(history)), m_rows(rows)
    {
    }

    qsizetype rows() const override { return m_rows.rows(); }
    qsizetype columns() const override { return m_history->tokens(); }
    float value(qsizetype row, qsizetype column) const override
    {
        return m_history->value(column, m_rows.layerOf(row), m_rows.headOf(row));
    }
    ValueRange range(bool logarithmic) const override { return m_history->range(m_rows, logarithmic); }
    QStringList fieldNames() const override;
    QVariantList fields(qsizetype row, qsizetype column) const override;
    QString readOut(qsizetype row, qsizetype column) const override;

private:
    std::shared_ptr<const HeadHistory> m_history;
    RowLayout m_rows;
};

} // namespace lens
