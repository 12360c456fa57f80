#include "compare/tokenpopup.h"

#include "bridge/format.h"
#include "bridge/theme.h"

#include <QLocale>
#include <QPainter>
#include <QScreen>

#include <algorithm>
#include <cmath>

namespace lens {
namespace {

constexpr int padding = 10;
constexpr int barWidth = 90;
constexpr int wordWidth = 120;
constexpr int numberWidth = 62;

QString quoted(const QString &token)
{
    const QString shown = visibleToken(token);
    return shown.trimmed().isEmpty() ? QStringLiteral("“%1”").arg(shown) : shown;
}

} // namespace

TokenPopup::TokenPopup(QWidget *parent) : QWidget(parent, Qt::ToolTip | Qt::FramelessWindowHint)
{
    setAttribute(Qt::WA_ShowWithoutActivating);
    setAttribute(Qt::WA_TransparentForMouseEvents);
}

int TokenPopup::rowHeight() const
{
    return fontMetrics().height() + 6;
}

void TokenPopup::showFor(const ShownToken &token, const QRect &anchor)
{
    m_heading = token.text.isEmpty() ? tr("token %1, no text").arg(token.id) : quoted(token.text);
    const auto found = std::find_if(token.alternatives.begin(), token.alternatives.end(),
                                    [&token](const auto &a) { return a.id == token.id; });
    const QString rank = found == token.alternatives.end()
                             ? tr("not among the %1 most probable").arg(token.alternatives.size())
                             : tr("rank %1").arg(found - token.alternatives.begin() + 1);
    m_footing = tr("%1 · %2 · position %3").arg(formatPercent(std::exp(token.logprob)), rank).arg(token.position);
    if (!std::isnan(token.kl))
        m_footing += tr(" · KL %1 nats").arg(QLocale().toString(token.kl, 'f', 2));
    m_rows.clear();
    for (const TokenAlternative &alternative : token.alternatives)
        m_rows.push_back(
            {quoted(text(alternative.text)), std::exp(double(alternative.logprob)), alternative.id == token.id});
    const int width = std::max(2 * padding + wordWidth + barWidth + numberWidth,
                               2 * padding + fontMetrics().horizontalAdvance(m_footing));
    resize(width, 2 * padding + rowHeight() * int(m_rows.size() + 2));
    const QRect room = parentWidget()->screen()->availableGeometry();
    QPoint place(anchor.left(), anchor.bottom() + 6);
    if (place.y() + height() > room.bottom())
        place.setY(anchor.top() - height() - 6);
    place.setX(std::clamp(place.x(), room.left(), std::max(room.left(), room.right() - width)));
    move(place);
    update();
    show();
}

void TokenPopup::paintEvent(QPaintEvent *)
{
    const Colours colours(palette());
    QPainter painter(this);
    painter.fillRect(rect(), colours.surface);
    painter.setPen(colours.border);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    const int step = rowHeight();
    QRect line(padding, padding, width() - 2 * padding, step);
    QFont bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(colours.text);
    painter.drawText(line, Qt::AlignVCenter, QFontMetrics(bold).elidedText(m_heading, Qt::ElideRight, line.width()));
    line.translate(0, step);
    painter.setFont(font());
    painter.setPen(colours.muted);
    painter.drawText(line, Qt::AlignVCenter, m_footing);
    const int numberLeft = width() - padding - numberWidth;
    const int barLeft = padding + wordWidth;
    const int fullBar = numberLeft - barLeft - 8;
    for (const Row &row : m_rows) {
        line.translate(0, step);
        painter.setFont(row.chosen ? bold : font());
        painter.setPen(row.chosen ? colours.accent : colours.text);
        const QRect word(line.left(), line.top(), wordWidth - 8, step);
        painter.drawText(word, Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(row.text, Qt::ElideRight, word.width()));
        painter.fillRect(QRectF(barLeft, line.center().y() - 3, std::max(1.0, fullBar * row.probability), 6),
                         row.chosen ? colours.accent : mixed(colours.muted, colours.surface, 0.35));
        painter.drawText(QRect(numberLeft, line.top(), numberWidth, step), Qt::AlignVCenter | Qt::AlignRight,
                         formatPercent(row.probability));
    }
}

} // namespace lens
