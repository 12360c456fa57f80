#include "uptrain/rundelegate.h"

#include "bridge/theme.h"
#include "uptrain/runlistmodel.h"
#include "widgets/twolineitem.h"

#include <QApplication>

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
    const QRect room(check.right() + 8, option.rect.top() + 5, option.rect.right() - check.right() - 14,
                     option.rect.height() - 10);
    paintTwoLines(painter, option, room, index.data().toString(), index.data(RunListModel::DetailRole).toString(),
                  status == TrainingStatus::Failed    ? colours.error
                  : status == TrainingStatus::Running ? colours.accent
                                                      : colours.muted);
}

QSize RunDelegate::sizeHint(const QStyleOptionViewItem &option, const QModelIndex &) const
{
    return twoLineSize(option);
}

} // namespace lens
