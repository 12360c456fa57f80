#include "compare/modelchooser.h"

#include "bridge/format.h"
#include "bridge/modellistmodel.h"
#include "bridge/theme.h"

#include <QMenu>
#include <QPainter>
#include <QStyleOptionToolButton>
#include <QStylePainter>

namespace lens {

QString columnDetail(const ModelInfo &info)
{
    if (info.name.empty())
        return {};
    QStringList parts{mixerName(info.mixer)};
    if (!info.fingerprint.empty())
        parts.append(shortFingerprint(info.fingerprint));
    if (info.layerCount > 0)
        parts.append(ModelChooser::tr("%1L × %2H").arg(info.layerCount).arg(info.heads));
    if (!info.dtype.empty())
        parts.append(text(info.dtype));
    return parts.join(QStringLiteral(" · "));
}

ModelChooser::ModelChooser(ModelLibrary &library, QWidget *parent) : QToolButton(parent), m_library(library)
{
    setPopupMode(QToolButton::InstantPopup);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    auto *menu = new QMenu(this);
    setMenu(menu);
    connect(menu, &QMenu::aboutToShow, this, &ModelChooser::fillMenu);
    setChosen(0);
}

void ModelChooser::setChosen(quint64 entry)
{
    m_entry = entry;
    const ModelEntry *shown = m_library.entry(entry);
    m_name = shown ? shown->name : tr("Choose a model");
    m_detail = tr("no model");
    if (shown)
        m_detail = shown->state == ModelEntry::State::Loaded ? columnDetail(*shown->info) : modelDetail(*shown);
    setToolTip(shown ? QStringLiteral("%1\n%2\n%3").arg(m_name, m_detail, shown->specification)
                     : tr("Choose the model of this column"));
    setAccessibleName(tr("Model: %1, %2").arg(m_name, m_detail));
    update();
}

QSize ModelChooser::sizeHint() const
{
    return QSize(200, fontMetrics().height() + 10);
}

QSize ModelChooser::minimumSizeHint() const
{
    return QSize(40, sizeHint().height());
}

void ModelChooser::paintEvent(QPaintEvent *)
{
    QStylePainter painter(this);
    QStyleOptionToolButton option;
    initStyleOption(&option);
    option.text.clear();
    painter.drawComplexControl(QStyle::CC_ToolButton, option);
    const Colours colours(palette());
    const int arrow = 12;
    const QRect room = rect().adjusted(6, 0, -6 - arrow, 0);
    QFont bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(m_entry ? colours.text : colours.accent);
    painter.drawText(room, Qt::AlignVCenter, QFontMetrics(bold).elidedText(m_name, Qt::ElideMiddle, room.width()));
    const QPointF tip(rect().right() - 9, rect().center().y() + 1);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colours.muted, 1.5));
    painter.drawPolyline(QPolygonF{tip + QPointF(-4, -3), tip + QPointF(0, 1), tip + QPointF(4, -3)});
}

void ModelChooser::fillMenu()
{
    menu()->clear();
    for (const ModelEntry &entry : m_library.entries()) {
        const QString detail = modelDetail(entry);
        QAction *action =
            menu()->addAction(detail.isEmpty() ? entry.name : QStringLiteral("%1   %2").arg(entry.name, detail));
        action->setCheckable(true);
        action->setChecked(entry.id == m_entry);
        connect(action, &QAction::triggered, this, [this, id = entry.id] { Q_EMIT chosen(id); });
    }
    if (!m_library.entries().empty())
        menu()->addSeparator();
    QMenu *conversions = nullptr;
    for (const ModelEntry &entry : m_library.entries()) {
        if (!entry.info || entry.info->mixer != "softmax" || entry.specification.contains(QLatin1Char('@')))
            continue;
        if (!conversions)
            conversions = menu()->addMenu(tr("SUPRA conversion of"));
        conversions->addAction(entry.name, this, [this, id = entry.id] { Q_EMIT convertedRequested(id); });
    }
    menu()->addAction(tr("Open a model…"), this, &ModelChooser::openRequested);
}

} // namespace lens
