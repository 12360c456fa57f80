#include "widgets/navigationrail.h"

#include "widgets/iconbutton.h"

#include <QVBoxLayout>

namespace lens {

NavigationRail::NavigationRail(QWidget *parent) : QFrame(parent), m_layout(new QVBoxLayout(this))
{
    setProperty("rail", true);
    setAccessibleName(tr("Workspaces"));
    m_layout->setContentsMargins(4, 8, 4, 8);
    m_layout->setSpacing(4);
    m_layout->addStretch();
    m_buttons.setExclusive(true);
    connect(&m_buttons, &QButtonGroup::idClicked, this, &NavigationRail::chosen);
}

void NavigationRail::addPage(const QString &iconName, const QString &text)
{
    const int id = int(m_buttons.buttons().size());
    auto *button = new IconButton(iconName, text);
    button->setText(text);
    button->setToolButtonStyle(Qt::ToolButtonTextUnderIcon);
    button->setIconSize(QSize(22, 22));
    button->setCheckable(true);
    button->setAutoRaise(true);
    button->setMinimumWidth(64);
    QFont small = button->font();
    small.setPointSizeF(small.pointSizeF() * 0.88);
    button->setFont(small);
    m_buttons.addButton(button, id);
    m_layout->insertWidget(id, button);
    if (id == 0)
        button->setChecked(true);
}

int NavigationRail::current() const
{
    return m_buttons.checkedId();
}

void NavigationRail::setCurrent(int page)
{
    if (QAbstractButton *button = m_buttons.button(page))
        button->setChecked(true);
}

} // namespace lens
