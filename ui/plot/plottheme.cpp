#include "plot/plottheme.h"

#include "plot/qcp.h"

namespace lens {

namespace {

QColor mix(const QColor &from, const QColor &to, double share)
{
    return QColor::fromRgbF(from.redF() + (to.redF() - from.redF()) * share,
                            from.greenF() + (to.greenF() - from.greenF()) * share,
                            from.blueF() + (to.blueF() - from.blueF()) * share);
}

} // namespace

bool isDark(const QPalette &palette)
{
    return palette.color(QPalette::WindowText).lightnessF() > palette.color(QPalette::Window).lightnessF();
}

QColor mutedText(const QPalette &palette)
{
    return mix(palette.color(QPalette::Window), palette.color(QPalette::WindowText), 0.66);
}

PlotTheme PlotTheme::fromPalette(const QPalette &palette)
{
    PlotTheme theme;
    theme.background = palette.color(QPalette::Window);
    theme.foreground = palette.color(QPalette::WindowText);
    theme.muted = mutedText(palette);
    theme.grid = mix(theme.background, theme.foreground, 0.12);
    theme.accent = palette.color(QPalette::Highlight);
    theme.dark = isDark(palette);
    theme.warning = theme.dark ? QColor(0xffb454) : QColor(0xc25e00);
    return theme;
}

PlotTheme PlotTheme::paper()
{
    return {Qt::white, Qt::black, QColor(0x505050), QColor(0xe4e4e4), QColor(0x0a64d8), QColor(0xc25e00), false};
}

void styleAxis(QCPAxis *axis, const PlotTheme &theme, const QFont &font)
{
    axis->setBasePen(QPen(theme.grid.darker(theme.dark ? 60 : 120), 0));
    axis->setTickPen(axis->basePen());
    axis->setSubTickPen(Qt::NoPen);
    axis->setTickLength(0, 3);
    axis->setTickLabelColor(theme.muted);
    axis->setLabelColor(theme.muted);
    axis->setTickLabelFont(font);
    axis->setLabelFont(font);
    axis->setSelectedTickLabelFont(font);
    axis->setSelectedLabelFont(font);
    axis->setTickLabelPadding(3);
    axis->setLabelPadding(2);
    axis->setPadding(axis->orientation() == Qt::Vertical ? 4 : 0);
    axis->grid()->setPen(QPen(theme.grid, 0));
    axis->grid()->setZeroLinePen(QPen(theme.grid, 0));
}

} // namespace lens
