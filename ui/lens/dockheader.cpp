#include "lens/dockheader.h"

#include "plot/plottheme.h"
#include "plot/ticks.h"
#include "widgets/elidedcombo.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>

namespace lens {

ElidedLabel::ElidedLabel(QWidget *parent) : QLabel(parent)
{
    setTextFormat(Qt::PlainText);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
}

void ElidedLabel::setFullText(const QString &text)
{
    setText(text);
    setToolTip(text.isEmpty() ? QString() : plainToolTip(text));
}

QSize ElidedLabel::minimumSizeHint() const
{
    return {fontMetrics().horizontalAdvance(QStringLiteral("xxx…")), QLabel::minimumSizeHint().height()};
}

void ElidedLabel::paintEvent(QPaintEvent *)
{
    QPainter painter(this);
    painter.setPen(m_muted ? mutedText(palette()) : palette().color(QPalette::WindowText));
    // Two or three letters say nothing; the tool tip has it all.
    const QString shown = fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width());
    if (shown == text() || shown.size() > 6)
        painter.drawText(contentsRect(), int(alignment()) | Qt::TextSingleLine, shown);
}

DockHeader::DockHeader(QWidget *parent)
    : QWidget(parent), m_text(new ElidedLabel(this)), m_layout(new QHBoxLayout(this))
{
    m_layout->setContentsMargins(8, 3, 4, 3);
    m_layout->setSpacing(4);
    m_layout->addWidget(m_text, 1);
}

QComboBox *DockHeader::addCombo(const QString &accessibleName)
{
    auto *combo = new ElidedCombo(this);
    combo->setAccessibleName(accessibleName);
    combo->setToolTip(accessibleName);
    combo->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    combo->setMaximumWidth(fontMetrics().averageCharWidth() * 22);
    m_layout->addWidget(combo);
    return combo;
}

QToolButton *DockHeader::addButton(const QString &text, const QString &toolTip, bool checkable)
{
    auto *button = new QToolButton(this);
    button->setText(text);
    button->setToolTip(toolTip);
    button->setAccessibleName(toolTip);
    button->setCheckable(checkable);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::TabFocus);
    m_layout->addWidget(button);
    return button;
}

void DockHeader::addMenu(std::function<void(QMenu *)> fill)
{
    QToolButton *button = addButton(QStringLiteral("⋯"), tr("Table, zoom, export"), false);
    auto *menu = new QMenu(button);
    connect(menu, &QMenu::aboutToShow, menu, [menu, fill = std::move(fill)] {
        menu->clear();
        fill(menu);
    });
    button->setMenu(menu);
    button->setPopupMode(QToolButton::InstantPopup);
    button->setStyleSheet(QStringLiteral("QToolButton::menu-indicator { image: none; }"));
}

} // namespace lens
