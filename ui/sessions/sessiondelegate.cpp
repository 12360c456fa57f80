#include "sessions/sessiondelegate.h"

#include "bridge/sessionlistmodel.h"
#include "bridge/theme.h"

#include <QApplication>
#include <QPainter>

namespace lens {

void SessionDelegate::paint(QPainter *painter, const QStyleOptionViewItem &option, const QModelIndex &index) const
{
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    item.text.clear();
    QApplication::style()->drawControl(QStyle::CE_ItemViewItem, &item, painter, item.widget);
    const Colours colours(option.palette);
    painter->save();
    const int line = option.fontMetrics.height();
    QRect row = option.rect.adjusted(10, 6, -10, 0);
    row.setHeight(line);
    const auto write = [painter, &row, line](const QString &text, const QFont &font, const QColor &colour) {
        painter->setFont(font);
        painter->setPen(colour);
        painter->drawText(row, Qt::AlignVCenter, QFontMetrics(font).elidedText(text, Qt::ElideRight, row.width()));
        row.translate(0, line);
    };
    QFont small = option.font;
    small.setPointSizeF(small.pointSizeF() * 0.9);
    write(index.data().toString(), option.font, colours.text);
    write(index.data(SessionListModel::DetailRole).toString(), small, colours.muted);
    const QString snippet = index.data(SessionListModel::SnippetRole).toString();
    if (!snippet.isEmpty())
        write(snippet, small, colours.accent);
    painter->restore();
}

QSize SessionDelegate::sizeHint(const QStyleOptionViewItem &option, const QModelIndex &index) const
{
    const int lines = index.data(SessionListModel::SnippetRole).toString().isEmpty() ? 2 : 3;
    return QSize(140, lines * option.fontMetrics.height() + 14);
}

} // namespace lens
