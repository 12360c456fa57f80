#include "widgets/elidedcombo.h"

#include <QStyle>
#include <QStyleOptionComboBox>

namespace lens {

QSize ElidedCombo::minimumSizeHint() const
{
    const int few = fontMetrics().horizontalAdvance(QStringLiteral("xxxx…")) + 30; // and the arrow
    const QSize usual = QComboBox::minimumSizeHint();
    return QSize(qMin(few, usual.width()), usual.height());
}

void ElidedCombo::initStyleOption(QStyleOptionComboBox *option) const
{
    QComboBox::initStyleOption(option);
    const QRect room = style()->subControlRect(QStyle::CC_ComboBox, option, QStyle::SC_ComboBoxEditField, this);
    option->currentText = option->fontMetrics.elidedText(option->currentText, Qt::ElideMiddle, room.width() - 2);
}

} // namespace lens
