#include "bridge/icons.h"

#include "bridge/theme.h"

#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmap>
#include <QSvgRenderer>

namespace lens {
namespace {

class TintedSvg : public QIconEngine {
public:
    TintedSvg(QByteArray source, const QPalette &palette) : m_source(std::move(source)), m_colours(palette) {}

    void paint(QPainter *painter, const QRect &rect, QIcon::Mode mode, QIcon::State state) override
    {
        QColor colour = state == QIcon::On ? m_colours.accent : m_colours.text;
        if (mode == QIcon::Disabled)
            colour = mixed(m_colours.muted, m_colours.canvas, 0.5);
        QByteArray tinted = m_source;
        tinted.replace("currentColor", colour.name().toLatin1());
        QSvgRenderer(tinted).render(painter, rect);
    }

    QPixmap pixmap(const QSize &size, QIcon::Mode mode, QIcon::State state) override
    {
        QPixmap pixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        paint(&painter, QRect(QPoint(), size), mode, state);
        return pixmap;
    }

    QIconEngine *clone() const override { return new TintedSvg(*this); }

private:
    QByteArray m_source;
    Colours m_colours;
};

} // namespace

QIcon icon(const QString &name, const QPalette &palette)
{
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    return QIcon(new TintedSvg(file.readAll(), palette));
}

} // namespace lens
