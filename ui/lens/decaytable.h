// Decay and measured reach of every head of one layer, as rows of a table that sorts by number.
#pragma once

#include "probe/frames.h"

#include <QAbstractTableModel>
#include <QColor>

#include <vector>

namespace lens {

/// NaN where nothing has been measured.
struct HeadFacts {
    double gamma = 1;
    double linearDistance, softmaxDistance;  ///< mean attention distance, tokens
    double linearEntropy, softmaxEntropy;    ///< bits
    QColor color;                            ///< of its curve
};

/// Facts of one layer; either summary may be null. Empty `gamma` means no decay.
std::vector<HeadFacts> headFacts(const std::vector<double> &gamma, std::int64_t heads, std::int64_t layer,
                                 const AttentionSummary *linear, const AttentionSummary *softmax);

class DecayTable : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Head, Gamma, HalfLife, LinearDistance, SoftmaxDistance, LinearEntropy, SoftmaxEntropy, Horizon, Count };
    static constexpr int SortRole = Qt::UserRole;

    explicit DecayTable(QObject *parent = nullptr) : QAbstractTableModel(parent) {}

    void setFacts(std::vector<HeadFacts> facts);
    const std::vector<HeadFacts> &facts() const { return m_facts; }

    int rowCount(const QModelIndex &parent = {}) const override;
    int columnCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<HeadFacts> m_facts;

    double number(int row, int column) const;
};

} // namespace lens
