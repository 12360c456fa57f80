#include "widgets/factline.h"

#include <QPainter>

namespace lens {

FactLine::FactLine(QWidget *parent) : QWidget(parent)
{
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.9);
    setFont(small);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void FactLine::setText(const QString &text)
{
    m_text = text;
    setAccessibleName(text);
    setToolTip(text);
    update();
}

QSize FactLine::sizeHint() const
{
    return QSize(120, fontMetrics().height() + 2);
}

QSize FactLine::minimumSizeHint() const
{
    return QSize(20, sizeHint().height());
}

void FactLine::paintEvent(QPaintEvent *)
{
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::PlaceholderText));
    painter.drawText(rect(), Qt::AlignVCenter, fontMetrics().elidedText(m_text, Qt::ElideRight, width()));
}

} // namespace lens
