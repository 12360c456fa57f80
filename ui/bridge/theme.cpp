#include "bridge/theme.h"

namespace lens {
namespace {

struct Tones {
    QRgb canvas, surface, raised, border, text, muted, accent, accentText;
};

constexpr Tones darkTones{0xff1d2026, 0xff24282f, 0xff2e333c, 0xff3a404b,
                          0xffe4e7ec, 0xff959ca8, 0xff4f9cf9, 0xff0f1216};
constexpr Tones lightTones{0xfff2f4f6, 0xffffffff, 0xffe9ecf0, 0xffd3d8df,
                           0xff1b1f26, 0xff646c79, 0xff0f62d0, 0xffffffff};

QPalette paletteOf(const Tones &tones)
{
    QPalette palette;
    const QColor canvas(tones.canvas), surface(tones.surface), raised(tones.raised), border(tones.border);
    const QColor text(tones.text), muted(tones.muted), accent(tones.accent), accentText(tones.accentText);
    palette.setColor(QPalette::Window, canvas);
    palette.setColor(QPalette::WindowText, text);
    palette.setColor(QPalette::Base, surface);
    palette.setColor(QPalette::AlternateBase, mixed(surface, canvas, 0.5));
    palette.setColor(QPalette::Text, text);
    palette.setColor(QPalette::Button, raised);
    palette.setColor(QPalette::ButtonText, text);
    palette.setColor(QPalette::BrightText, accentText);
    palette.setColor(QPalette::ToolTipBase, raised);
    palette.setColor(QPalette::ToolTipText, text);
    palette.setColor(QPalette::PlaceholderText, muted);
    palette.setColor(QPalette::Highlight, accent);
    palette.setColor(QPalette::HighlightedText, accentText);
    palette.setColor(QPalette::Link, accent);
    palette.setColor(QPalette::LinkVisited, accent);
    palette.setColor(QPalette::Light, mixed(raised, text, 0.12));
    palette.setColor(QPalette::Midlight, raised);
    palette.setColor(QPalette::Mid, border);
    palette.setColor(QPalette::Dark, mixed(border, canvas, 0.3));
    palette.setColor(QPalette::Shadow, mixed(canvas, QColor(Qt::black), 0.5));
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, mixed(muted, canvas, 0.4));
    palette.setColor(QPalette::Disabled, QPalette::Highlight, border);
    palette.setColor(QPalette::Disabled, QPalette::HighlightedText, muted);
    return palette;
}

} // namespace

QString toString(ThemeChoice choice)
{
    switch (choice) {
    case ThemeChoice::Light: return QStringLiteral("light");
    case ThemeChoice::Dark: return QStringLiteral("dark");
    case ThemeChoice::System: break;
    }
    return QStringLiteral("system");
}

ThemeChoice themeChoice(const QString &name)
{
    if (name == QLatin1String("light"))
        return ThemeChoice::Light;
    return name == QLatin1String("dark") ? ThemeChoice::Dark : ThemeChoice::System;
}

QPalette lightPalette()
{
    return paletteOf(lightTones);
}

QPalette darkPalette()
{
    return paletteOf(darkTones);
}

bool isDark(const QPalette &palette)
{
    const QColor window = palette.color(QPalette::Window);
    // A view with a transparent background has no colour of its own to go by.
    return window.alpha() > 0 ? window.lightnessF() < 0.5 : palette.color(QPalette::WindowText).lightnessF() > 0.5;
}

QColor mixed(const QColor &first, const QColor &second, double amount)
{
    const auto blend = [amount](float a, float b) { return float(a + (b - a) * amount); };
    return QColor::fromRgbF(blend(first.redF(), second.redF()), blend(first.greenF(), second.greenF()),
                            blend(first.blueF(), second.blueF()));
}

Colours::Colours(const QPalette &palette)
    : canvas(palette.color(QPalette::Window)), surface(palette.color(QPalette::Base)),
      border(palette.color(QPalette::Mid)), text(palette.color(QPalette::WindowText)),
      muted(palette.color(QPalette::PlaceholderText)), accent(palette.color(QPalette::Active, QPalette::Highlight)),
      accentText(palette.color(QPalette::Active, QPalette::HighlightedText)),
      accentSoft(mixed(surface, accent, isDark(palette) ? 0.22 : 0.14))
{
    const bool dark = isDark(palette);
    surprise = dark ? QColor(0x9a, 0x43, 0x3b) : QColor(0xf2, 0x9b, 0x8c);
    divergence = dark ? QColor(0x2f, 0x6f, 0xb5) : QColor(0x8f, 0xbd, 0xf2);
    marker = dark ? QColor(0xf5, 0xa6, 0x23) : QColor(0xd9, 0x7a, 0x00);
    warning = dark ? QColor(0xf0, 0xb9, 0x55) : QColor(0x8a, 0x56, 0x00);
    warningSoft = mixed(surface, QColor(0xf0, 0xa0, 0x20), dark ? 0.14 : 0.15);
    error = dark ? QColor(0xff, 0x8a, 0x7d) : QColor(0xb3, 0x26, 0x1e);
    errorSoft = mixed(surface, QColor(0xe0, 0x40, 0x30), dark ? 0.18 : 0.10);
}

QString styleSheet(const QPalette &palette)
{
    const Colours colours(palette);
    QString sheet = QStringLiteral(R"(
QToolTip { color: @text; background: @raised; border: 1px solid @border; padding: 4px; }
QMainWindow::separator { background: @border; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: @accent; }
QStatusBar { background: @surface; border-top: 1px solid @border; }
QStatusBar::item { border: none; }
QMenuBar { background: @surface; border-bottom: 1px solid @border; padding: 2px; }
QMenuBar::item { padding: 4px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @soft; }
QMenu { background: @surface; border: 1px solid @border; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 24px; border-radius: 4px; }
QMenu::item:selected { background: @soft; color: @text; }
QMenu::item:disabled { color: @muted; }
QMenu::separator { height: 1px; background: @border; margin: 4px 8px; }
QSplitter::handle { background: transparent; }
*[panel="true"] { background: @surface; }
QFrame[rail="true"] { background: @surface; border-right: 1px solid @border; }
QFrame[card="true"] { background: @surface; border: 1px solid @border; border-radius: 6px; }
QFrame[card="focused"] { background: @surface; border: 1px solid @accent; border-radius: 6px; }
QLabel[heading="true"] { color: @muted; font-weight: 600; }
QLabel[muted="true"] { color: @muted; }
QLabel[warning="true"] { color: @warning; }
QPushButton { border: 1px solid @border; border-radius: 4px; padding: 5px 12px; background: @raised; color: @text; }
QPushButton::menu-indicator { image: none; width: 0; }
QPushButton:hover { border-color: @accent; }
QPushButton:pressed { background: @soft; }
QPushButton:focus { border-color: @accent; }
QPushButton:disabled { color: @muted; background: @canvas; }
QPushButton[primary="true"] { background: @accent; color: @onaccent; border-color: @accent; }
QPushButton[primary="true"]:disabled { background: @raised; color: @muted; border-color: @border; }
QToolButton { border: 1px solid transparent; border-radius: 4px; padding: 3px; background: transparent; color: @text; }
QToolButton:hover { background: @soft; }
QToolButton:focus { border-color: @accent; }
QToolButton:checked { background: @soft; color: @accent; }
QToolButton:disabled { color: @muted; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[popupMode="1"] { padding-right: 18px; }
QToolButton::menu-button { border: none; background: transparent; width: 16px; }
QListView { border: none; background: transparent; outline: none; }
QListView::item { border-radius: 4px; padding: 4px 6px; color: @text; }
QListView::item:hover { background: @raised; }
QListView::item:selected { background: @soft; color: @text; }
QCheckBox::indicator, QRadioButton::indicator, QListView::indicator {
  width: 13px; height: 13px; border: 1px solid @muted; background: @surface; }
QCheckBox::indicator, QListView::indicator { border-radius: 3px; }
QRadioButton::indicator { border-radius: 7px; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 2px solid @accent; width: 11px; height: 11px; }
QCheckBox::indicator:checked, QListView::indicator:checked {
  background: @accent; border-color: @accent; image: url(:/icons/check.png); }
QRadioButton::indicator:checked { border-color: @accent; background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5,
  fx: 0.5, fy: 0.5, stop: 0 white, stop: 0.38 white, stop: 0.46 @accent, stop: 1 @accent); }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: @border; background: @canvas; }
QCheckBox::indicator:checked:disabled { border-color: @border; background: @border; image: url(:/icons/check-disabled.png); }
QRadioButton::indicator:checked:disabled { border-color: @border; background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5,
  fx: 0.5, fy: 0.5, stop: 0 @muted, stop: 0.38 @muted, stop: 0.46 @canvas, stop: 1 @canvas); }
QScrollArea { border: none; background: transparent; }
QPlainTextEdit[plain="true"] { border: none; background: transparent; }
)");
    const QColor raised = palette.color(QPalette::Button);
    const std::pair<const char *, QColor> names[] = {
        {"@onaccent", colours.accentText}, {"@accent", colours.accent}, {"@soft", colours.accentSoft},
        {"@text", colours.text},           {"@raised", raised},         {"@border", colours.border},
        {"@surface", colours.surface},     {"@canvas", colours.canvas}, {"@muted", colours.muted},
        {"@warning", colours.warning}};
    for (const auto &[name, colour] : names)
        sheet.replace(QLatin1String(name), colour.name());
    return sheet;
}

} // namespace lens
