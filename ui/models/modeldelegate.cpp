#include "models/modeldelegate.h"

#include "bridge/modellistmodel.h"
#include "bridge/theme.h"
#include "widgets/twolineitem.h"

#include <QApplication>
#include <QPainter>

namespace lens {

void ModelDelegate::paint(QPainter *painter, const QStyleOptionViewItem &option, const QModelIndex &index) const
{
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    item.text.clear();
    QApplication::style()->drawControl(QStyle::CE_ItemViewItem, &item, painter, item.widget);
    const Colours colours(option.palette);
    using State = ModelEntry::State;
    const auto state = State(index.data(ModelListModel::StateRole).toInt());
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const int line = option.fontMetrics.height();
    const QRect room = option.rect.adjusted(26, 5, -8, -5);
    const QPointF dot(option.rect.left() + 14, room.top() + line / 2.0);
    painter->setPen(QPen(state == State::Failed   ? colours.error
                         : state == State::Loaded ? colours.accent
                                                  : colours.muted,
                         1.4));
    painter->setBrush(state == State::Loaded ? QBrush(colours.accent) : QBrush(Qt::NoBrush));
    painter->drawEllipse(dot, 4, 4);
    painter->restore();
    paintTwoLines(painter, option, room, index.data().toString(), index.data(ModelListModel::DetailRole).toString(),
                  state == State::Failed ? colours.error : colours.muted);
}

QSize ModelDelegate::sizeHint(const QStyleOptionViewItem &option, const QModelIndex &) const
{
    return twoLineSize(option);
}

} // namespace lens
