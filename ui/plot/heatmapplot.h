// A heat map of any size: what the screen cannot show is averaged, what was added last is all that is computed again.
#pragma once

#include "plot/colorscale.h"
#include "plot/plotview.h"
#include "plot/ticks.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace lens {

/// The cells. Read on the GUI thread while drawing; after a change, call HeatMapPlot::refresh().
class HeatMapSource {
public:
    virtual ~HeatMapSource() = default;
    virtual qsizetype rows() const = 0;
    virtual qsizetype columns() const = 0;
    /// Cells that are not finite stay transparent.
    virtual float value(qsizetype row, qsizetype column) const = 0;
    /// Smallest and largest finite value; for logarithmic scales the smallest positive one.
    virtual ValueRange range(bool logarithmic) const = 0;
    /// Headings of fields(), the last one that of the value, with its unit.
    virtual QStringList fieldNames() const = 0;
    /// What one cell means, for the table, CSV and the screen reader.
    virtual QVariantList fields(qsizetype row, qsizetype column) const = 0;
    /// What the mouse reads out.
    virtual QString readOut(qsizetype row, qsizetype column) const = 0;
};

/// Ticks between two axis coordinates, at most `capacity` of them.
using TickMaker = std::function<std::vector<Tick>(double lower, double upper, int capacity)>;

enum class ColorBar { None, Right, Below };

class HeatMapPlot : public PlotView {
    Q_OBJECT

public:
    explicit HeatMapPlot(QWidget *parent = nullptr);
    ~HeatMapPlot() override;

    /// May be null. Resets zoom only when the number of rows changes.
    void setSource(std::shared_ptr<const HeatMapSource> source);

    /// Cells of columns from `firstColumn` on have changed, or there are more columns than before.
    void refresh(qsizetype firstColumn = 0);

    /// Names, and how ticks are made; no maker: whole numbers.
    void setColumnAxis(const QString &name, TickMaker ticks = {});
    void setRowAxis(const QString &name, TickMaker ticks = {});
    /// Labels of the column axis turned upwards, for token texts.
    void setColumnLabelsTurned(bool turned);

    /// `quantity` names the numbers beside the colour bar, unit included.
    void setColors(ColorScale scale, const QString &quantity, ColorBar bar);
    void setLogarithmic(bool logarithmic);
    /// A range shared with another plot; none: that of the source.
    void setValueRange(std::optional<ValueRange> range);
    /// Cells as wide as high, at the top left.
    void setSquare(bool square);
    /// The axis is at least this long, so that the first tokens are not drawn as broad as the plot.
    void setMinimumColumns(qsizetype columns);
    /// Whether dragging and the wheel move rows, too.
    void setRowZoom(bool enabled);

    /// The chosen row and column are outlined; -1 for none.
    void setChosen(qsizetype row, qsizetype column);

    bool isEmpty() const override;
    PlotTable table() const override;

    /// Computes and draws everything now; what a frame of a live plot costs.
    void drawNow();

public Q_SLOTS:
    void resetView() override;

Q_SIGNALS:
    void cellChosen(qint64 row, qint64 column);

protected:
    void restyle() override;
    void prepare(QSize area, double scale) override;
    QSize figureSize() const override;
    QString readOut(QPoint position) const override;
    void choose(QPoint position) override;
    void moveChoice(int right, int down) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;

    void applyScale();
    void fitSquare(QSize area);
    void fillMap(QSize pixels);
};

} // namespace lens
