#include "compare/columnfooter.h"

#include "bridge/column.h"
#include "bridge/format.h"
#include "bridge/theme.h"

#include <QLocale>
#include <QPainter>

#include <algorithm>

namespace lens {
namespace {

constexpr int narrowWidth = 260; ///< pixels; below, the long forms do not fit

} // namespace

QString memoryText(quint64 stateBytes, quint64 kvBytesPerToken, bool shortly)
{
    if (kvBytesPerToken == 0)
        return ColumnFooter::tr("state %1, constant").arg(formatBytes(stateBytes));
    if (shortly)
        return ColumnFooter::tr("KV %1, +%2/token").arg(formatBytes(stateBytes), formatBytes(kvBytesPerToken));
    return ColumnFooter::tr("KV cache %1, grows %2/token").arg(formatBytes(stateBytes), formatBytes(kvBytesPerToken));
}

ContextScale contextScale(qint64 tokens, qint64 trained)
{
    if (trained <= 0)
        return {0, 1};
    if (tokens <= trained)
        return {double(tokens) / double(trained), 1};
    const double end = std::max(2.0 * double(trained), double(tokens));
    return {double(tokens) / end, double(trained) / end};
}

ColumnFooter::ColumnFooter(const Column &column, QWidget *parent) : QWidget(parent), m_column(column)
{
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    for (const auto signal :
         {&Column::modelChanged, &Column::exchangesReset, &Column::exchangeAppended, &Column::answerChanged})
        connect(&column, signal, this, &ColumnFooter::refresh);
    connect(&column, &Column::tokensAppended, this, &ColumnFooter::refresh);
    refresh();
}

void ColumnFooter::refresh()
{
    setAccessibleName(summary());
    setToolTip(summary());
    update();
}

QSize ColumnFooter::sizeHint() const
{
    return QSize(200, 3 * fontMetrics().height() + 22);
}

QString ColumnFooter::summary() const
{
    return lines(false).join(QLatin1Char('\n'));
}

QStringList ColumnFooter::lines(bool shortly) const
{
    return {speedText(shortly), memoryText(shortly), contextText(shortly)};
}

QString ColumnFooter::speedText(bool shortly) const
{
    const Exchange *last = m_column.last();
    if (!last || last->answer.tokens.empty())
        return shortly ? tr("– tok/s") : tr("– tok/s · first token –");
    const Cost &cost = last->answer.cost;
    const QString rate = cost.tokensPerSecond > 0
                             ? QLocale().toString(cost.tokensPerSecond, 'f', cost.tokensPerSecond < 20 ? 1 : 0)
                             : QStringLiteral("–");
    return (shortly ? tr("%1 tok/s · first %2") : tr("%1 tok/s · first token %2")).arg(rate, formatSeconds(cost.firstTokenSeconds));
}

QString ColumnFooter::memoryText(bool shortly) const
{
    const ModelInfo &info = m_column.info();
    if (info.name.empty())
        return tr("no model");
    const Exchange *last = m_column.last();
    const quint64 bytes = last && last->answer.cost.stateBytes > 0 ? last->answer.cost.stateBytes : info.stateBytes;
    if (info.kvBytesPerToken > 0 && info.stateBytes > 0)
        return (shortly ? tr("memory %1, +%2/token") : tr("state and KV cache %1, grows %2/token"))
            .arg(formatBytes(bytes), formatBytes(info.kvBytesPerToken));
    return lens::memoryText(bytes, info.kvBytesPerToken, shortly);
}

QString ColumnFooter::contextText(bool shortly) const
{
    const Exchange *last = m_column.last();
    const qint64 tokens = last ? last->answer.cost.contextTokens : 0;
    const qint64 trained = m_column.info().trainedContext;
    if (trained <= 0)
        return tr("context %1").arg(QLocale().toString(tokens));
    return (shortly ? tr("context %1 of %2") : tr("context %1 · trained at %2")).arg(QLocale().toString(tokens), QLocale().toString(trained));
}

void ColumnFooter::paintEvent(QPaintEvent *)
{
    const Colours colours(palette());
    QPainter painter(this);
    painter.setPen(colours.border);
    painter.drawLine(0, 0, width(), 0);
    QFont small = font();
    small.setPointSizeF(font().pointSizeF() * 0.92);
    painter.setFont(small);
    painter.setPen(colours.muted);
    const QFontMetrics metrics(small);
    const int line = fontMetrics().height();
    QRect row(12, 6, width() - 24, line);
    for (const QString &text : lines(width() < narrowWidth)) {
        painter.drawText(row, Qt::AlignVCenter, metrics.elidedText(text, Qt::ElideRight, row.width()));
        row.translate(0, line);
    }
    const Exchange *last = m_column.last();
    const ContextScale scale = contextScale(last ? last->answer.cost.contextTokens : 0, m_column.info().trainedContext);
    const QRectF bar(12, row.top() + 5, width() - 24, 4);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(colours.border);
    painter.drawRoundedRect(bar, 2, 2);
    painter.setBrush(scale.mark < 1 ? colours.marker : colours.accent);
    painter.drawRoundedRect(QRectF(bar.topLeft(), QSizeF(bar.width() * scale.filled, bar.height())), 2, 2);
    if (m_column.info().trainedContext > 0) {
        const qreal x = bar.left() + (bar.width() - 1) * scale.mark;
        painter.fillRect(QRectF(x - 0.5, bar.top() - 3, 1.5, bar.height() + 6), colours.text);
    }
}

} // namespace lens
