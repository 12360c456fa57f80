#include "compare/chatselection.h"

#include <algorithm>

namespace lens {

std::optional<QTextLayout::FormatRange> ChatSelection::inside(std::size_t block, std::size_t paragraph,
                                                              int length) const
{
    const auto [first, last] = std::minmax(anchor, caret);
    const TextPlace begin{block, paragraph, 0}, end{block, paragraph, length};
    if (last <= begin || first >= end)
        return {};
    QTextLayout::FormatRange range;
    range.start = first > begin ? first.offset : 0;
    range.length = (last < end ? last.offset : length) - range.start;
    if (range.length <= 0)
        return {};
    return range;
}

std::optional<TextPlace> placeAt(const ChatLayout &layout, const QPointF &point)
{
    std::optional<TextPlace> nearest;
    const auto &blocks = layout.blocks();
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        for (std::size_t p = 0; p < blocks[b].paragraphs.size(); ++p) {
            const ChatLayout::Paragraph &paragraph = blocks[b].paragraphs[p];
            const QPointF local = point - layout.originOf(blocks[b], paragraph);
            if (nearest && local.y() < 0)
                return nearest;
            const int lines = paragraph.layout->lineCount();
            if (lines == 0) {
                nearest = TextPlace{b, p, 0};
                continue;
            }
            const int index = std::clamp(int(local.y() / layout.lineHeight()), 0, lines - 1);
            nearest = TextPlace{b, p, paragraph.layout->lineAt(index).xToCursor(local.x())};
        }
    }
    return nearest;
}

ChatSelection everything(const ChatLayout &layout)
{
    ChatSelection all;
    for (std::size_t b = 0; b < layout.blocks().size(); ++b) {
        const auto &paragraphs = layout.blocks()[b].paragraphs;
        if (!paragraphs.empty())
            all.caret = {b, paragraphs.size() - 1, int(paragraphs.back().text.size())};
    }
    return all;
}

QString selectedText(const ChatLayout &layout, const ChatSelection &selection)
{
    QString text;
    const auto &blocks = layout.blocks();
    const auto [first, last] = std::minmax(selection.anchor, selection.caret);
    for (std::size_t b = first.block; b < blocks.size() && b <= last.block; ++b) {
        const auto &paragraphs = blocks[b].paragraphs;
        for (std::size_t p = 0; p < paragraphs.size(); ++p) {
            const int length = int(paragraphs[p].text.size());
            const TextPlace begin{b, p, 0}, end{b, p, length};
            if (end < first || begin > last)
                continue;
            if (const auto range = selection.inside(b, p, length))
                text += paragraphs[p].text.mid(range->start, range->length);
            if (paragraphs[p].breaksLine && last > end) {
                if (text.endsWith(ChatLayout::returnSign))
                    text.chop(1);
                text += QLatin1Char('\n');
            }
        }
        if (b < last.block && !text.isEmpty())
            text += QStringLiteral("\n\n");
    }
    if (text.endsWith(ChatLayout::returnSign))
        text.back() = QLatin1Char('\n');
    return text;
}

} // namespace lens
