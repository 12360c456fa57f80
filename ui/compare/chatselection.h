// Text chosen with the mouse in a conversation: from one place to another, over prompts and answers.
#pragma once

#include "compare/chatlayout.h"

#include <QTextLayout>

#include <optional>

namespace lens {

struct TextPlace {
    std::size_t block = 0;
    std::size_t paragraph = 0;
    int offset = 0; ///< between characters of the paragraph

    auto operator<=>(const TextPlace &) const = default;
};

struct ChatSelection {
    TextPlace anchor;
    TextPlace caret;

    bool isEmpty() const { return anchor == caret; }
    /// The part inside one paragraph; empty when there is none.
    std::optional<QTextLayout::FormatRange> inside(std::size_t block, std::size_t paragraph, int length) const;
};

/// The place nearest to `point`; nothing in an empty conversation.
std::optional<TextPlace> placeAt(const ChatLayout &layout, const QPointF &point);
/// From the first character to the last.
ChatSelection everything(const ChatLayout &layout);
/// The chosen text with its line breaks; prompts and answers on lines of their own.
QString selectedText(const ChatLayout &layout, const ChatSelection &selection);

} // namespace lens
