#include "uptrain/rundelegate.h"

#include "bridge/theme.h"
#include "uptrain/runlistmodel.h"

#include <QApplication>
#include <QPainter>

namespace lens {

void RunDelegate::paint(QPainter *painter, const QStyleOptionViewItem &option, const QModelIndex &index) const
{
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    const QStyle *style = item.widget ? item.widget->style() : QApplication::style();
    const QRect check = style->subElementRect(QStyle::SE_ItemViewItemCheckIndicator, &item, item.widget);
    item.text.clear();
    style->drawControl(QStyle::CE_ItemViewItem, &item, painter, item.widget);
    const Colours colours(option.palette);
    const auto status = TrainingStatus(index.data(RunListModel::StatusRole).toInt());
    painter->save();
    const int line = option.fontMetrics.height();
    const QRect room(check.right() + 8, option.rect.top() + 5, option.rect.right() - check.right() - 14, 2 * line);
    painter->setPen(colours.text);
    painter->drawText(QRect(room.left(), room.top(), room.width(), line), Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data().toString(), Qt::ElideMiddle, room.width()));
    QFont small = option.font;
    small.setPointSizeF(small.pointSizeF() * 0.9);
    painter->setFont(small);
    painter->setPen(status == TrainingStatus::Failed    ? colours.error
                    : status == TrainingStatus::Running ? colours.accent
                                                        : colours.muted);
    painter->drawText(QRect(room.left(), room.top() + line, room.width(), line), Qt::AlignVCenter,
                      QFontMetrics(small).elidedText(index.data(RunListModel::DetailRole).toString(), Qt::ElideRight,
                                                     room.width()));
    painter->restore();
}

QSize RunDelegate::sizeHint(const QStyleOptionViewItem &option, const QModelIndex &) const
{
    return QSize(140, 2 * option.fontMetrics.height() + 12);
}

} // namespace lens
