#include "plot/plottable.h"

#include "plot/ticks.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

bool isReal(const QVariant &value)
{
    return value.typeId() == QMetaType::Double || value.typeId() == QMetaType::Float;
}

QString csvField(const QVariant &value)
{
    if (isReal(value)) {
        const double number = value.toDouble();
        if (std::isnan(number))
            return {};
        return QString::number(number, 'g', value.typeId() == QMetaType::Float ? 9 : 17);
    }
    QString text = value.toString();
    if (text.contains(QLatin1Char('"')) || text.contains(QLatin1Char(',')) || text.contains(QLatin1Char('\n'))
        || text.contains(QLatin1Char('\r')))
        text = QLatin1Char('"') + text.replace(QLatin1String("\""), QLatin1String("\"\"")) + QLatin1Char('"');
    return text;
}

bool writeLine(const QStringList &fields, QIODevice &device)
{
    const QByteArray line = fields.join(QLatin1Char(',')).toUtf8() + "\r\n";
    return device.write(line) == line.size();
}

} // namespace

PlotTableModel::PlotTableModel(QObject *parent) : QAbstractTableModel(parent) {}

void PlotTableModel::setTable(PlotTable table)
{
    beginResetModel();
    m_table = std::move(table);
    endResetModel();
}

int PlotTableModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(std::min<qsizetype>(m_table.rows, std::numeric_limits<int>::max()));
}

int PlotTableModel::columnCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_table.headers.size());
}

QVariant PlotTableModel::data(const QModelIndex &index, int role) const
{
    if (!index.isValid() || (role != Qt::DisplayRole && role != Qt::TextAlignmentRole))
        return {};
    const QVariant value = m_table.row(index.row()).value(index.column());
    if (role == Qt::TextAlignmentRole)
        return int((value.typeId() == QMetaType::QString ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    return isReal(value) ? QVariant(formatValue(value.toDouble(), 4)) : value;
}

QVariant PlotTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (role != Qt::DisplayRole)
        return {};
    return orientation == Qt::Horizontal ? QVariant(m_table.headers.value(section)) : QVariant(section);
}

bool writeCsv(const PlotTable &table, QIODevice &device)
{
    QStringList headers;
    for (const QString &header : table.headers)
        headers << csvField(header);
    if (!writeLine(headers, device))
        return false;
    for (qsizetype row = 0; row < table.rows; ++row) {
        QStringList fields;
        for (const QVariant &value : table.row(row))
            fields << csvField(value);
        if (!writeLine(fields, device))
            return false;
    }
    return true;
}

} // namespace lens
