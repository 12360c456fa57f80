#include "widgets/iconbutton.h"

#include "bridge/icons.h"

#include <QEvent>

namespace lens {

IconButton::IconButton(const QString &iconName, const QString &text, QWidget *parent) : QToolButton(parent)
{
    setIconSize(QSize(16, 16));
    setIconName(iconName);
    setLabel(text);
}

void IconButton::setIconName(const QString &iconName)
{
    m_iconName = iconName;
    setIcon(lens::icon(m_iconName, palette()));
}

void IconButton::setLabel(const QString &text)
{
    setToolTip(text);
    setAccessibleName(text);
}

void IconButton::changeEvent(QEvent *event)
{
    if (event->type() == QEvent::PaletteChange && !m_iconName.isEmpty())
        setIcon(lens::icon(m_iconName, palette()));
    QToolButton::changeEvent(event);
}

} // namespace lens
