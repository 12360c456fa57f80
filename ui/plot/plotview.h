// What every plot has besides its drawing: a table twin, a context menu, zoom that can be reset, a read-out under the
// mouse, keyboard and screen-reader access, colours that follow the palette, and export to figures and numbers.
#pragma once

#include "base/result.h"
#include "plot/plottable.h"
#include "plot/plottheme.h"

#include <QSize>
#include <QWidget>

#include <memory>

class QCustomPlot;
class QMenu;
class QMouseEvent;

namespace lens {

class PlotView : public QWidget {
    Q_OBJECT

public:
    ~PlotView() override;

    /// Heading of exported figures, and the accessible name.
    void setTitle(const QString &title);
    QString title() const;

    /// Shown in the middle instead of an empty plot.
    void setHint(const QString &hint);

    bool isTableShown() const;
    void setTableShown(bool shown);

    /// Writes what is on show. The suffix chooses: png (twice the size in pixels), svg, pdf, csv. Figures are black on
    /// white whatever the theme, `size` pixels large, figureSize() when empty. Needs no display. Errors: InvalidArgument for other suffixes or an empty plot, Io.
    Result<void> save(const QString &file, QSize size = {});

    /// The context menu's actions, for a button in a header.
    void addActionsTo(QMenu *menu);

    virtual bool isEmpty() const = 0;
    /// The numbers on show: only what is inside the zoomed part.
    virtual PlotTable table() const = 0;

public Q_SLOTS:
    /// Everything in view.
    virtual void resetView() = 0;

protected:
    explicit PlotView(QWidget *parent);

    QCustomPlot *plot() const;
    const PlotTheme &theme() const;
    QFont axisFont() const;
    /// While a file is written rather than the screen drawn.
    bool isFigure() const;

    /// Redraws soon; many calls within a frame (33 ms) cost one drawing.
    void scheduleUpdate();
    /// Redraws now.
    void updateNow();

    /// Applies theme().
    virtual void restyle() = 0;
    /// Called before drawing on that area, every unit of which is `scale` device pixels.
    virtual void prepare(QSize area, double scale) = 0;
    virtual QSize figureSize() const;
    virtual QString readOut(QPoint position) const = 0;
    virtual void choose(QPoint position) = 0;
    virtual void moveChoice(int right, int down) = 0;

    void changeEvent(QEvent *event) override;
    void keyPressEvent(QKeyEvent *event) override;
    void focusInEvent(QFocusEvent *event) override;
    void focusOutEvent(QFocusEvent *event) override;
    void contextMenuEvent(QContextMenuEvent *event) override;
    void resizeEvent(QResizeEvent *event) override;
    void showEvent(QShowEvent *event) override;
    void paintEvent(QPaintEvent *event) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;

    void adoptPalette();
    void applyTheme(const PlotTheme &theme);
    void connectMouse();
    void showPage();
    void exportInteractively();
    bool writeFigure(const QString &suffix, QIODevice &device, QSize size);
};

} // namespace lens
