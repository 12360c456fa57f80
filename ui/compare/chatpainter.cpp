#include "compare/chatpainter.h"

#include <QCoreApplication>
#include <QFontMetricsF>
#include <QLocale>

#include <algorithm>
#include <cmath>

namespace lens {
namespace {

constexpr float fullKl = 4; ///< nats at which the shading is at its strongest

class Painter {
public:
    Painter(QPainter &painter, const ChatLayout &layout, const ChatPaintState &state, const QRectF &visible)
        : m_painter(painter), m_layout(layout), m_state(state), m_visible(visible)
    {
    }

    void paint(const ChatLayout::Block &block)
    {
        if (block.isPrompt)
            paintBubble(block);
        for (const ChatLayout::Paragraph &paragraph : block.paragraphs) {
            const QPointF origin = m_layout.originOf(block, paragraph);
            const QRectF area(origin, QSizeF(m_layout.width(), paragraph.height));
            if (area.bottom() < m_visible.top())
                continue;
            if (area.top() > m_visible.bottom())
                break;
            if (!block.isPrompt)
                paintShading(block, paragraph, origin);
            m_painter.setPen(m_state.colours.text);
            paragraph.layout->draw(&m_painter, origin, chosenIn(block, paragraph));
        }
        if (!block.caption.isEmpty()) {
            m_painter.setFont(m_layout.captionFont());
            m_painter.setPen(m_state.colours.muted);
            const QString caption = QFontMetricsF(m_layout.captionFont())
                                        .elidedText(block.caption, Qt::ElideRight, block.captionRect.width());
            m_painter.drawText(block.captionRect, Qt::AlignLeft | Qt::AlignBottom, caption);
        }
    }

    void outline(const std::optional<TokenRef> &token, const QColor &colour, qreal width)
    {
        if (!token)
            return;
        m_painter.setPen(QPen(colour, width));
        m_painter.setBrush(Qt::NoBrush);
        for (const QRectF &rect : m_layout.rectsOf(*token))
            m_painter.drawRoundedRect(rect.adjusted(-0.5, 0.5, 0.5, -0.5), 3, 3);
    }

private:
    QList<QTextLayout::FormatRange> chosenIn(const ChatLayout::Block &block,
                                             const ChatLayout::Paragraph &paragraph) const
    {
        if (!m_state.chosenText)
            return {};
        auto range = m_state.chosenText->inside(std::size_t(&block - m_layout.blocks().data()),
                                                std::size_t(&paragraph - block.paragraphs.data()),
                                                int(paragraph.text.size()));
        if (!range)
            return {};
        range->format.setBackground(m_state.colours.accent);
        range->format.setForeground(m_state.colours.accentText);
        return {*range};
    }

    void paintBubble(const ChatLayout::Block &block)
    {
        m_painter.setPen(Qt::NoPen);
        m_painter.setBrush(m_state.colours.accentSoft);
        m_painter.drawRoundedRect(block.rect, 8, 8);
        if (block.hiddenCharacters <= 0)
            return;
        const QRectF line = block.rect.adjusted(ChatLayout::bubblePadding, 0, -ChatLayout::bubblePadding, -4);
        m_painter.setPen(m_state.colours.accent);
        m_painter.setFont(m_layout.captionFont());
        m_painter.drawText(line, Qt::AlignLeft | Qt::AlignBottom,
                           QCoreApplication::translate("ChatView", "… %1 more characters; click to show all")
                               .arg(QLocale().toString(block.hiddenCharacters)));
    }

    void paintShading(const ChatLayout::Block &block, const ChatLayout::Paragraph &paragraph, const QPointF &origin)
    {
        if (m_state.shading == Shading::None || block.exchange >= m_state.exchanges.size())
            return;
        const auto &tokens = m_state.exchanges[block.exchange].answer.tokens;
        std::size_t next = 0;
        for (int i = 0; i < paragraph.layout->lineCount(); ++i) {
            const QTextLine line = paragraph.layout->lineAt(i);
            const qreal top = origin.y() + line.y();
            if (top > m_visible.bottom())
                break;
            if (top + 2 * m_layout.lineHeight() < m_visible.top())
                continue;
            const int lineEnd = line.textStart() + line.textLength();
            while (next < paragraph.spans.size() &&
                   paragraph.spans[next].start + paragraph.spans[next].length <= line.textStart())
                ++next;
            for (std::size_t s = next; s < paragraph.spans.size() && paragraph.spans[s].start < lineEnd; ++s) {
                const std::size_t index = std::size_t(paragraph.spans[s].token);
                if (index >= tokens.size())
                    continue;
                const QColor shade = shadeOf(tokens[index], m_state.shading, m_state.colours);
                if (shade.alpha() > 0)
                    m_painter.fillRect(m_layout.spanInLine(line, paragraph.spans[s]).translated(origin), shade);
            }
        }
    }

    QPainter &m_painter;
    const ChatLayout &m_layout;
    const ChatPaintState &m_state;
    QRectF m_visible;
};

} // namespace

QColor shadeOf(const ShownToken &token, Shading shading, const Colours &colours)
{
    float strength = 0;
    QColor colour;
    if (shading == Shading::Probability) {
        strength = 1 - std::exp(std::min(token.logprob, 0.0f));
        colour = colours.surprise;
    } else if (shading == Shading::Divergence && !std::isnan(token.kl)) {
        strength = std::min(1.0f, std::max(0.0f, token.kl) / fullKl);
        colour = colours.divergence;
    }
    if (!colour.isValid() || strength < 0.02f)
        return Qt::transparent;
    colour.setAlphaF(std::min(1.0f, 0.08f + 0.92f * strength));
    return colour;
}

void paintChat(QPainter &painter, const ChatLayout &layout, const ChatPaintState &state, const QRectF &visible)
{
    painter.setRenderHint(QPainter::Antialiasing);
    Painter chat(painter, layout, state, visible);
    for (const ChatLayout::Block &block : layout.blocks()) {
        if (std::max(block.rect.bottom(), block.captionRect.bottom()) >= visible.top() &&
            block.rect.top() <= visible.bottom())
            chat.paint(block);
    }
    QColor faint = state.colours.accent;
    faint.setAlphaF(0.5f);
    chat.outline(state.hovered, faint, 1);
    chat.outline(state.difference, state.colours.marker, 2);
    chat.outline(state.selected, state.colours.accent, 2);
}

} // namespace lens
