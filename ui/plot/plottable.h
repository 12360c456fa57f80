// The numbers behind a plot, as a table for the eye, the screen reader and the spreadsheet.
#pragma once

#include <QAbstractTableModel>
#include <QIODevice>
#include <QStringList>
#include <QVariantList>

#include <functional>

namespace lens {

/// Rows are computed when asked for: a long heat map has half a million of them.
struct PlotTable {
    QStringList headers;
    qsizetype rows = 0;
    std::function<QVariantList(qsizetype row)> row;  ///< as many values as there are headers
};

class PlotTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    explicit PlotTableModel(QObject *parent = nullptr);

    void setTable(PlotTable table);

    int rowCount(const QModelIndex &parent = {}) const override;
    int columnCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    PlotTable m_table;
};

/// RFC 4180, UTF-8, full precision, a point as decimal mark whatever the locale. False when the device refuses.
bool writeCsv(const PlotTable &table, QIODevice &device);

} // namespace lens
