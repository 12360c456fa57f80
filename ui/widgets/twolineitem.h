// A list's item of two lines: a name, and in smaller letters what there is to say about it.
#pragma once

#include <QColor>
#include <QRect>
#include <QSize>
#include <QString>

class QPainter;
class QStyleOptionViewItem;

namespace lens {

/// Into `room`, which has the height of both lines; what does not fit is elided.
void paintTwoLines(QPainter *painter, const QStyleOptionViewItem &option, const QRect &room, const QString &name,
                   const QString &detail, const QColor &detailColour);

QSize twoLineSize(const QStyleOptionViewItem &option);

} // namespace lens
