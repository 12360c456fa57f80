#include "widgets/twolineitem.h"

#include "bridge/theme.h"

#include <QPainter>
#include <QStyleOptionViewItem>

namespace lens {
namespace {

constexpr int LeastWidth = 140;
constexpr int Spacing = 12; ///< above and below both lines together
constexpr double SmallShare = 0.9;

} // namespace

void paintTwoLines(QPainter *painter, const QStyleOptionViewItem &option, const QRect &room, const QString &name,
                   const QString &detail, const QColor &detailColour)
{
    const int line = option.fontMetrics.height();
    QFont small = option.font;
    small.setPointSizeF(small.pointSizeF() * SmallShare);
    painter->save();
    painter->setPen(Colours(option.palette).text);
    painter->drawText(QRect(room.left(), room.top(), room.width(), line), Qt::AlignVCenter,
                      option.fontMetrics.elidedText(name, Qt::ElideMiddle, room.width()));
    painter->setFont(small);
    painter->setPen(detailColour);
    painter->drawText(QRect(room.left(), room.top() + line, room.width(), line), Qt::AlignVCenter,
                      QFontMetrics(small).elidedText(detail, Qt::ElideRight, room.width()));
    painter->restore();
}

QSize twoLineSize(const QStyleOptionViewItem &option)
{
    return QSize(LeastWidth, 2 * option.fontMetrics.height() + Spacing);
}

} // namespace lens
