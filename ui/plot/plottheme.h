// Colours of plots, derived from the palette so that light, dark and high-contrast themes need no second setting.
#pragma once

#include <QColor>
#include <QPalette>

class QCPAxis;

namespace lens {

struct PlotTheme {
    QColor background;
    QColor foreground;  ///< text
    QColor muted;       ///< axes, secondary text
    QColor grid;
    QColor accent;      ///< the selection, bars
    QColor warning;     ///< marks that must not be missed, such as the first difference
    bool dark = false;

    static PlotTheme fromPalette(const QPalette &palette);
    /// Black on white, for figures.
    static PlotTheme paper();
};

/// Whether text is lighter than what it stands on.
bool isDark(const QPalette &palette);

/// Text of lesser weight on the palette's window: between its two colours, still readable.
QColor mutedText(const QPalette &palette);

void styleAxis(QCPAxis *axis, const PlotTheme &theme, const QFont &font);

} // namespace lens
