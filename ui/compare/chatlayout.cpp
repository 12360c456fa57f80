#include "compare/chatlayout.h"

#include <QFontMetricsF>
#include <QTextOption>

#include <algorithm>
#include <cmath>

namespace lens {
namespace {

constexpr qreal promptWidthShare = 0.86;
constexpr qreal gapBelowPrompt = 12;
constexpr qreal gapBelowAnswer = 20;

/// The texts of token and prompt are untrusted: what would break lines or reorder neighbours is shown as a sign.
QString displayable(const QString &text)
{
    QString shown = text;
    for (QChar &c : shown) {
        const bool control = c < QChar(0x20) && c != QLatin1Char('\t') && c != QLatin1Char('\n');
        if (control || c == QChar(0x2028) || c == QChar(0x2029))
            c = QChar(0xfffd);
    }
    return shown;
}

} // namespace

ChatLayout::ChatLayout(const QFont &font) : m_font(font)
{
}

QFont ChatLayout::captionFont() const
{
    QFont font = m_font;
    font.setPointSizeF(std::max(7.0, m_font.pointSizeF() * 0.85));
    return font;
}

qreal ChatLayout::lineHeight() const
{
    return std::ceil(QFontMetricsF(m_font).height() * 1.35);
}

void ChatLayout::setFont(const QFont &font)
{
    m_font = font;
    for (Block &block : m_blocks)
        layOutBlock(block);
    place();
}

void ChatLayout::setWidth(qreal width)
{
    width = std::max<qreal>(60, width);
    if (width == m_width)
        return;
    m_width = width;
    for (Block &block : m_blocks)
        layOutBlock(block);
    place();
}

void ChatLayout::rebuild(const std::vector<Exchange> &exchanges)
{
    m_blocks.clear();
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
        addPrompt(exchanges[i], i, true);
        addAnswer(exchanges[i], i);
    }
    place();
}

void ChatLayout::appendExchange(const std::vector<Exchange> &exchanges)
{
    const std::size_t first = m_blocks.size();
    addPrompt(exchanges.back(), exchanges.size() - 1, true);
    addAnswer(exchanges.back(), exchanges.size() - 1);
    place(first);
}

void ChatLayout::addPrompt(const Exchange &exchange, std::size_t index, bool folded)
{
    Block block;
    block.isPrompt = true;
    block.exchange = index;
    QString text = exchange.prompt;
    if (folded && text.size() > promptLimit * 3 / 2) {
        block.hiddenCharacters = text.size() - promptLimit;
        text.truncate(promptLimit);
    }
    addText(block, displayable(text));
    layOutBlock(block);
    m_blocks.push_back(std::move(block));
}

void ChatLayout::addAnswer(const Exchange &exchange, std::size_t index)
{
    Block block;
    block.exchange = index;
    const auto &tokens = exchange.answer.tokens;
    for (std::size_t i = 0; i < tokens.size(); ++i)
        addToken(block, qsizetype(i), displayable(tokens[i].text));
    layOutBlock(block);
    m_blocks.push_back(std::move(block));
}

void ChatLayout::addText(Block &block, const QString &text)
{
    const QStringList lines = text.split(QLatin1Char('\n'));
    for (qsizetype i = 0; i < lines.size(); ++i) {
        const QString &line = lines[i];
        for (qsizetype at = 0; at == 0 || at < line.size(); at += paragraphLimit) {
            Paragraph paragraph;
            paragraph.text = line.mid(at, paragraphLimit);
            block.paragraphs.push_back(std::move(paragraph));
        }
        block.paragraphs.back().breaksLine = i + 1 < lines.size();
    }
}

void ChatLayout::addToken(Block &block, qsizetype index, const QString &text)
{
    if (text.isEmpty())
        return;
    if (block.paragraphs.empty())
        block.paragraphs.emplace_back();
    const QStringList pieces = text.split(QLatin1Char('\n'));
    for (qsizetype i = 0; i < pieces.size(); ++i) {
        const bool ends = i + 1 < pieces.size();
        const QString piece = ends ? pieces[i] + returnSign : pieces[i];
        if (block.paragraphs.back().text.size() + piece.size() > paragraphLimit)
            block.paragraphs.emplace_back();
        Paragraph &paragraph = block.paragraphs.back();
        if (!piece.isEmpty())
            paragraph.spans.push_back({index, int(paragraph.text.size()), int(piece.size())});
        paragraph.text += piece;
        if (ends) {
            paragraph.breaksLine = true;
            block.paragraphs.emplace_back();
        }
    }
}

void ChatLayout::appendTokens(const std::vector<Exchange> &exchanges, qsizetype firstToken)
{
    if (m_blocks.empty() || exchanges.empty())
        return;
    Block &block = m_blocks.back();
    const std::size_t firstParagraph = block.paragraphs.empty() ? 0 : block.paragraphs.size() - 1;
    const auto &tokens = exchanges.back().answer.tokens;
    for (qsizetype i = firstToken; i < qsizetype(tokens.size()); ++i)
        addToken(block, i, displayable(tokens[std::size_t(i)].text));
    layOutBlock(block, firstParagraph);
    place(m_blocks.size() - 1);
}

void ChatLayout::setCaption(const QString &caption)
{
    if (m_blocks.empty() || m_blocks.back().caption == caption)
        return;
    m_blocks.back().caption = caption;
    place(m_blocks.size() - 1);
}

void ChatLayout::unfold(const std::vector<Exchange> &exchanges, std::size_t exchange)
{
    for (Block &block : m_blocks) {
        if (!block.isPrompt || block.exchange != exchange)
            continue;
        block.paragraphs.clear();
        block.hiddenCharacters = 0;
        addText(block, displayable(exchanges[exchange].prompt));
        layOutBlock(block);
    }
    place();
}

void ChatLayout::layOut(Paragraph &paragraph, qreal width) const
{
    paragraph.layout = std::make_unique<QTextLayout>(paragraph.text, m_font);
    QTextOption option;
    option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    option.setFlags(QTextOption::IncludeTrailingSpaces);
    paragraph.layout->setTextOption(option);
    const qreal step = lineHeight();
    const qreal rise = (step - QFontMetricsF(m_font).height()) / 2;
    qreal y = 0;
    paragraph.width = 0;
    paragraph.layout->beginLayout();
    for (QTextLine line = paragraph.layout->createLine(); line.isValid(); line = paragraph.layout->createLine()) {
        line.setLineWidth(width);
        line.setPosition(QPointF(0, y + rise));
        paragraph.width = std::max(paragraph.width, line.naturalTextWidth());
        y += step;
    }
    paragraph.layout->endLayout();
    paragraph.height = std::max(y, step);
}

void ChatLayout::layOutBlock(Block &block, std::size_t firstParagraph)
{
    const qreal room = m_width - 2 * margin;
    const qreal width = block.isPrompt ? room * promptWidthShare - 2 * bubblePadding : room;
    qreal y = firstParagraph < block.paragraphs.size() ? block.paragraphs[firstParagraph].top : 0;
    for (std::size_t i = firstParagraph; i < block.paragraphs.size(); ++i) {
        layOut(block.paragraphs[i], width);
        block.paragraphs[i].top = y;
        y += block.paragraphs[i].height;
    }
    qreal widest = 0;
    if (block.isPrompt) {
        for (const Paragraph &paragraph : block.paragraphs)
            widest = std::max(widest, paragraph.width);
        widest = std::min(widest, width) + 2 * bubblePadding;
        const qreal folded = block.hiddenCharacters > 0 ? lineHeight() : 0;
        block.rect.setSize(
            QSizeF(block.hiddenCharacters > 0 ? room * promptWidthShare : widest, y + folded + bubblePadding));
        return;
    }
    block.rect.setSize(QSizeF(room, y));
}

void ChatLayout::place(std::size_t firstBlock)
{
    qreal y = margin;
    if (firstBlock > 0 && firstBlock <= m_blocks.size()) {
        const Block &before = m_blocks[firstBlock - 1];
        y = before.isPrompt ? before.rect.bottom() + gapBelowPrompt
                            : std::max(before.rect.bottom(), before.captionRect.bottom()) + gapBelowAnswer;
    }
    const qreal captionHeight = QFontMetricsF(captionFont()).height() + 6;
    for (std::size_t i = firstBlock; i < m_blocks.size(); ++i) {
        Block &block = m_blocks[i];
        block.rect.moveTop(y);
        if (block.isPrompt) {
            block.rect.moveRight(m_width - margin);
            y = block.rect.bottom() + gapBelowPrompt;
            continue;
        }
        block.rect.moveLeft(margin);
        block.captionRect =
            QRectF(margin, block.rect.bottom(), m_width - 2 * margin, block.caption.isEmpty() ? 0 : captionHeight);
        y = block.captionRect.bottom() + gapBelowAnswer;
    }
    m_height = y;
}

QPointF ChatLayout::originOf(const Block &block, const Paragraph &paragraph) const
{
    const QPointF inset = block.isPrompt ? QPointF(bubblePadding, bubblePadding / 2) : QPointF();
    return block.rect.topLeft() + inset + QPointF(0, paragraph.top);
}

QRectF ChatLayout::spanInLine(const QTextLine &line, const Span &span) const
{
    const int from = std::max(span.start, line.textStart());
    const int to = std::min(span.start + span.length, line.textStart() + line.textLength());
    if (from >= to)
        return {};
    const qreal x = line.cursorToX(from), end = line.cursorToX(to);
    const qreal rise = (lineHeight() - QFontMetricsF(m_font).height()) / 2;
    return QRectF(QPointF(std::min(x, end), line.y() - rise + 1), QSizeF(std::abs(end - x), lineHeight() - 2));
}

std::optional<TokenRef> ChatLayout::tokenAt(const QPointF &point) const
{
    for (const Block &block : m_blocks) {
        if (block.isPrompt || !block.rect.contains(point))
            continue;
        for (const Paragraph &paragraph : block.paragraphs) {
            const QPointF local = point - originOf(block, paragraph);
            if (local.y() < 0 || local.y() >= paragraph.height)
                continue;
            const int lineIndex = int(local.y() / lineHeight());
            if (lineIndex >= paragraph.layout->lineCount())
                return {};
            const QTextLine line = paragraph.layout->lineAt(lineIndex);
            for (const Span &span : paragraph.spans) {
                if (spanInLine(line, span).contains(QPointF(local.x(), spanInLine(line, span).center().y())))
                    return TokenRef{block.exchange, span.token};
            }
            return {};
        }
    }
    return {};
}

std::vector<QRectF> ChatLayout::rectsOf(const TokenRef &token) const
{
    std::vector<QRectF> rects;
    for (const Block &block : m_blocks) {
        if (block.isPrompt || block.exchange != token.exchange)
            continue;
        for (const Paragraph &paragraph : block.paragraphs) {
            for (const Span &span : paragraph.spans) {
                if (span.token != token.token)
                    continue;
                for (int i = 0; i < paragraph.layout->lineCount(); ++i) {
                    const QRectF rect = spanInLine(paragraph.layout->lineAt(i), span);
                    if (!rect.isEmpty())
                        rects.push_back(rect.translated(originOf(block, paragraph)));
                }
            }
        }
    }
    return rects;
}

const ChatLayout::Block *ChatLayout::promptAt(const QPointF &point) const
{
    for (const Block &block : m_blocks) {
        if (block.isPrompt && block.rect.contains(point))
            return &block;
    }
    return nullptr;
}

} // namespace lens
