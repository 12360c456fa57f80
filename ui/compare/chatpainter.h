// Draws a ChatLayout.
#pragma once

#include "bridge/theme.h"
#include "compare/chatselection.h"
#include "compare/chatview.h"

#include <QPainter>

namespace lens {

struct ChatPaintState {
    const std::vector<Exchange> &exchanges;
    Colours colours;
    Shading shading = Shading::Probability;
    std::optional<TokenRef> selected;
    std::optional<TokenRef> hovered;
    std::optional<TokenRef> difference;
    std::optional<ChatSelection> chosenText;
};

/// `visible` in the layout's coordinates, which the painter uses too.
void paintChat(QPainter &painter, const ChatLayout &layout, const ChatPaintState &state, const QRectF &visible);

/// What a token is shaded with; transparent for none.
QColor shadeOf(const ShownToken &token, Shading shading, const Colours &colours);

} // namespace lens
