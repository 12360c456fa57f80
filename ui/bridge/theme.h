// The look: one palette for light, one for dark, and the few colours that a QPalette has no role for.
#pragma once

#include <QColor>
#include <QPalette>
#include <QString>

namespace lens {

enum class ThemeChoice { System, Light, Dark };

/// "system", "light", "dark", as settings store it; anything else is System.
QString toString(ThemeChoice choice);
ThemeChoice themeChoice(const QString &name);

QPalette lightPalette();
QPalette darkPalette();

bool isDark(const QPalette &palette);

/// Colours that follow from a palette. Made anew whenever a widget receives PaletteChange.
struct Colours {
    explicit Colours(const QPalette &palette);

    QColor canvas;  ///< behind everything
    QColor surface; ///< columns, panels
    QColor border;
    QColor text;
    QColor muted; ///< secondary text
    QColor accent;
    QColor accentText;  ///< on accent
    QColor accentSoft;  ///< chosen rows, the user's bubble
    QColor surprise;    ///< full strength of the probability shading
    QColor divergence;  ///< full strength of the KL shading
    QColor marker;      ///< outline of the first difference
    QColor warning;     ///< text of warnings
    QColor warningSoft; ///< their background
    QColor error;
    QColor errorSoft;
};

/// `first` moved towards `second`; amount 0..1.
QColor mixed(const QColor &first, const QColor &second, double amount);

/// The application's style sheet for this palette: only what Fusion cannot do by palette.
QString styleSheet(const QPalette &palette);

} // namespace lens
