#include "plot/heatmapplot.h"

#include "plot/axisticker.h"
#include "plot/heatgeometry.h"

#include <QFontMetrics>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens {

namespace {

constexpr int BarWidth = 8;
constexpr int LeastBarTicks = 3;  ///< zero and both signs
constexpr double SmallestView = 2;  ///< cells; closer zooming shows nothing new

/// Outlines the chosen row and column, at least a few pixels wide, dark around light so that it shows on any colour.
class CrossHair : public QCPAbstractItem {
public:
    explicit CrossHair(QCustomPlot *plot) : QCPAbstractItem(plot) {}

    double selectTest(const QPointF &, bool, QVariant * = nullptr) const override { return -1; }

    qsizetype row = -1;
    qsizetype column = -1;
    QColor color = Qt::white;

protected:
    void draw(QCPPainter *painter) override
    {
        const QRectF inside = QRectF(clipRect()).adjusted(0, 0, -1, -1);
        if (column >= 0)
            outline(painter, span(parentPlot()->xAxis, column, inside.top(), inside.bottom(), false));
        if (row >= 0)
            outline(painter, span(parentPlot()->yAxis, row, inside.left(), inside.right(), true));
    }

private:
    static QRectF span(const QCPAxis *axis, qsizetype cell, double from, double to, bool horizontal)
    {
        const double middle = axis->coordToPixel(double(cell));
        const double half = std::max(2.0, std::abs(axis->coordToPixel(double(cell) + 0.5) - middle));
        const QPointF low(middle - half, from);
        const QPointF high(middle + half, to);
        return horizontal ? QRectF(low.transposed(), high.transposed()) : QRectF(low, high);
    }

    void outline(QCPPainter *painter, const QRectF &rect) const
    {
        painter->setAntialiasing(false);
        painter->setBrush(Qt::NoBrush);
        painter->setPen(QPen(QColor(0, 0, 0, 110), 0));
        painter->drawRect(rect.adjusted(-1, -1, 1, 1));
        painter->setPen(QPen(color, 0));
        painter->drawRect(rect);
    }
};

QCPColorGradient gradientOf(ColorScale scale)
{
    QCPColorGradient gradient;
    QMap<double, QColor> stops;
    for (const auto &[position, color] : colorStops(scale))
        stops.insert(position, color);
    gradient.setColorStops(stops);
    gradient.setNanHandling(QCPColorGradient::nhTransparent);
    return gradient;
}

int integerLabelWidth(const QFontMetrics &metrics, double largest)
{
    return metrics.horizontalAdvance(QLocale().toString(qint64(largest))) + 10;
}

QCPRange clamped(const QCPRange &wanted, double cells)
{
    const double size = std::clamp(wanted.size(), std::min(SmallestView, cells), cells);
    const double lower = std::clamp(wanted.center() - size / 2, -0.5, cells - 0.5 - size);
    return {lower, lower + size};
}

} // namespace

struct HeatMapPlot::Impl {
    std::shared_ptr<const HeatMapSource> source;
    QCPColorMap *map = nullptr;
    QCPColorScale *bar = nullptr;
    CrossHair *crossHair = nullptr;
    QCPMarginGroup *margins = nullptr;
    TickMaker columnTicks, rowTicks;
    ColorScale scale = ColorScale::Magnitude;
    ColorBar barPlace = ColorBar::None;
    std::optional<ValueRange> sharedRange;
    ValueRange valueRange;
    bool logarithmic = false;
    bool square = false;
    bool turned = false;
    bool zoomed = false;  ///< else the axes follow the data
    bool settingRange = false;
    qsizetype minimumColumns = 1;

    Bins rowBins, columnBins;
    std::vector<float> cells;
    qsizetype dirtyColumn = 0;

    double columnCells() const { return double(std::max(minimumColumns, source ? source->columns() : 0)); }
    double rowCells() const { return double(std::max<qsizetype>(1, source ? source->rows() : 0)); }
};

HeatMapPlot::HeatMapPlot(QWidget *parent) : PlotView(parent), m_impl(std::make_unique<Impl>())
{
    QCustomPlot *plot = this->plot();
    plot->plotLayout()->setRowSpacing(0);
    plot->plotLayout()->setColumnSpacing(0);
    plot->axisRect()->setupFullAxesBox(false);
    plot->axisRect()->setMinimumMargins(QMargins(2, 6, 6, 2));
    plot->xAxis2->setVisible(false);
    plot->yAxis2->setVisible(false);
    plot->yAxis->setRangeReversed(true);
    plot->xAxis->grid()->setVisible(false);
    plot->yAxis->grid()->setVisible(false);
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    m_impl->map = new QCPColorMap(plot->xAxis, plot->yAxis);
    m_impl->map->setInterpolate(false);
    m_impl->map->setAntialiased(false);
    m_impl->crossHair = new CrossHair(plot);
    m_impl->crossHair->setClipToAxisRect(true);
    m_impl->crossHair->setClipAxisRect(plot->axisRect());
    m_impl->margins = new QCPMarginGroup(plot);
    setColumnAxis({});
    setRowAxis({});
    setRowZoom(true);

    const auto hold = [this](QCPAxis *axis, double cells, const QCPRange &range) {
        if (m_impl->settingRange)
            return;
        m_impl->settingRange = true;
        axis->setRange(clamped(range, cells));
        m_impl->zoomed = true;
        m_impl->settingRange = false;
        scheduleUpdate();
    };
    connect(plot->xAxis, qOverload<const QCPRange &>(&QCPAxis::rangeChanged), this,
            [this, hold](const QCPRange &range) { hold(this->plot()->xAxis, m_impl->columnCells(), range); });
    connect(plot->yAxis, qOverload<const QCPRange &>(&QCPAxis::rangeChanged), this,
            [this, hold](const QCPRange &range) { hold(this->plot()->yAxis, m_impl->rowCells(), range); });
}

HeatMapPlot::~HeatMapPlot() = default;

void HeatMapPlot::setSource(std::shared_ptr<const HeatMapSource> source)
{
    const bool sameRows = source && m_impl->source && source->rows() == m_impl->source->rows();
    m_impl->source = std::move(source);
    if (!sameRows)
        m_impl->zoomed = false;
    refresh();
}

void HeatMapPlot::refresh(qsizetype firstColumn)
{
    m_impl->dirtyColumn = std::min(m_impl->dirtyColumn, firstColumn);
    scheduleUpdate();
}

void HeatMapPlot::setColumnAxis(const QString &name, TickMaker ticks)
{
    QCPAxis *axis = plot()->xAxis;
    axis->setLabel(name);
    m_impl->columnTicks = ticks ? std::move(ticks) : TickMaker(integerTicks);
    axis->setTicker(QSharedPointer<QCPAxisTicker>(new AxisTicker([this, axis](double lower, double upper) {
        const QFontMetrics metrics(axis->tickLabelFont());
        const int each = m_impl->turned ? metrics.height() : integerLabelWidth(metrics, upper);
        return m_impl->columnTicks(lower, upper, tickCapacity(axis->axisRect()->width(), each));
    })));
}

void HeatMapPlot::setRowAxis(const QString &name, TickMaker ticks)
{
    QCPAxis *axis = plot()->yAxis;
    axis->setLabel(name);
    m_impl->rowTicks = ticks ? std::move(ticks) : TickMaker(integerTicks);
    axis->setTicker(QSharedPointer<QCPAxisTicker>(new AxisTicker([this, axis](double lower, double upper) {
        const int each = QFontMetrics(axis->tickLabelFont()).height() + 2;
        return m_impl->rowTicks(lower, upper, tickCapacity(axis->axisRect()->height(), each));
    })));
}

void HeatMapPlot::setColumnLabelsTurned(bool turned)
{
    m_impl->turned = turned;
    plot()->xAxis->setTickLabelRotation(turned ? -90 : 0);
}

void HeatMapPlot::setColors(ColorScale scale, const QString &quantity, ColorBar bar)
{
    m_impl->scale = scale;
    m_impl->map->setGradient(gradientOf(scale));
    if (!m_impl->bar && bar != ColorBar::None) {
        m_impl->bar = new QCPColorScale(plot());
        m_impl->bar->setBarWidth(BarWidth);
        m_impl->bar->setMinimumMargins(QMargins(0, 2, 0, 0));
        m_impl->bar->setRangeDrag(false);
        m_impl->bar->setRangeZoom(false);
        const bool right = bar == ColorBar::Right;
        m_impl->bar->setType(right ? QCPAxis::atRight : QCPAxis::atBottom);
        plot()->plotLayout()->addElement(right ? 0 : 1, right ? 1 : 0, m_impl->bar);
        const QCP::MarginSides sides = right ? QCP::msTop | QCP::msBottom : QCP::msLeft | QCP::msRight;
        m_impl->bar->setMarginGroup(sides, m_impl->margins);
        plot()->axisRect()->setMarginGroup(sides, m_impl->margins);
        m_impl->map->setColorScale(m_impl->bar);
        m_impl->barPlace = bar;
    }
    if (m_impl->bar) {
        m_impl->bar->setGradient(gradientOf(scale));
        m_impl->bar->setLabel(quantity);
    }
    applyScale();
}

void HeatMapPlot::setLogarithmic(bool logarithmic)
{
    m_impl->logarithmic = logarithmic;
    applyScale();
    refresh();
}

void HeatMapPlot::applyScale()
{
    const auto type = m_impl->logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear;
    if (!m_impl->bar) {
        m_impl->map->setDataScaleType(type);
        return;
    }
    m_impl->bar->setDataScaleType(type);
    QCPAxis *axis = m_impl->bar->axis();
    axis->setScaleType(type);
    axis->setTicker(QSharedPointer<QCPAxisTicker>(new AxisTicker([this, axis](double lower, double upper) {
        const QFontMetrics metrics(axis->tickLabelFont());
        const bool right = m_impl->barPlace == ColorBar::Right;
        const double pixels = right ? axis->axisRect()->height() : axis->axisRect()->width();
        const double each = right ? metrics.height() * 1.4 : metrics.horizontalAdvance(QStringLiteral("−0.00")) + 6;
        return valueTicks(lower, upper, std::max(LeastBarTicks, tickCapacity(pixels, each)), m_impl->logarithmic);
    })));
}

void HeatMapPlot::setValueRange(std::optional<ValueRange> range)
{
    m_impl->sharedRange = range;
    refresh();
}

void HeatMapPlot::setSquare(bool square)
{
    m_impl->square = square;
}

void HeatMapPlot::setMinimumColumns(qsizetype columns)
{
    m_impl->minimumColumns = columns;
}

void HeatMapPlot::setRowZoom(bool enabled)
{
    const Qt::Orientations directions = enabled ? Qt::Horizontal | Qt::Vertical : Qt::Orientations(Qt::Horizontal);
    plot()->axisRect()->setRangeDrag(directions);
    plot()->axisRect()->setRangeZoom(directions);
}

void HeatMapPlot::setChosen(qsizetype row, qsizetype column)
{
    if (m_impl->crossHair->row == row && m_impl->crossHair->column == column)
        return;
    m_impl->crossHair->row = row;
    m_impl->crossHair->column = column;
    scheduleUpdate();
}

bool HeatMapPlot::isEmpty() const
{
    return !m_impl->source || m_impl->source->rows() == 0 || m_impl->source->columns() == 0;
}

PlotTable HeatMapPlot::table() const
{
    if (isEmpty())
        return {};
    const QCPRange x = plot()->xAxis->range();
    const QCPRange y = plot()->yAxis->range();
    const bool all = !m_impl->zoomed;
    const auto limit = std::numeric_limits<qsizetype>::max();
    const Bins columns = binsFor(all ? -0.5 : x.lower, all ? m_impl->columnCells() : x.upper, m_impl->source->columns(), limit);
    const Bins rows = binsFor(all ? -0.5 : y.lower, all ? m_impl->rowCells() : y.upper, m_impl->source->rows(), limit);
    PlotTable table;
    table.headers = m_impl->source->fieldNames();
    table.rows = rows.count * columns.count;
    table.row = [source = m_impl->source, rows, columns](qsizetype index) {
        return source->fields(rows.first + index % rows.count, columns.first + index / rows.count);
    };
    return table;
}

void HeatMapPlot::drawNow()
{
    prepare(plot()->size(), devicePixelRatioF());
    plot()->replot(QCustomPlot::rpImmediateRefresh);
}

void HeatMapPlot::resetView()
{
    m_impl->zoomed = false;
    scheduleUpdate();
}

void HeatMapPlot::restyle()
{
    for (QCPAxis *axis : {plot()->xAxis, plot()->yAxis})
        styleAxis(axis, theme(), axisFont());
    m_impl->crossHair->color = m_impl->scale == ColorScale::Difference ? theme().accent : QColor(Qt::white);
    plot()->xAxis->setTickLabelRotation(m_impl->turned ? -90 : 0);
    if (!m_impl->bar)
        return;
    for (QCPAxis *axis : m_impl->bar->findChildren<QCPAxis *>())
        styleAxis(axis, theme(), axisFont());
    for (QCPAxisRect *rect : m_impl->bar->findChildren<QCPAxisRect *>())
        for (QCPAxis *axis : rect->axes())
            styleAxis(axis, theme(), axisFont());
    styleAxis(m_impl->bar->axis(), theme(), axisFont());
}

void HeatMapPlot::prepare(QSize area, double scale)
{
    if (isEmpty())
        return;
    if (!m_impl->zoomed) {
        m_impl->settingRange = true;
        plot()->xAxis->setRange(-0.5, m_impl->columnCells() - 0.5);
        plot()->yAxis->setRange(-0.5, m_impl->rowCells() - 0.5);
        m_impl->settingRange = false;
    }
    fitSquare(area);
    m_impl->crossHair->setVisible(!isFigure());
    const ValueRange range = m_impl->sharedRange.value_or(m_impl->source->range(m_impl->logarithmic));
    m_impl->valueRange = usableRange(range, m_impl->logarithmic);
    const QCPRange shown(m_impl->valueRange.lower, m_impl->valueRange.upper);
    if (m_impl->bar)
        m_impl->bar->setDataRange(shown);
    m_impl->map->setDataRange(shown);
    fillMap(area * scale);
}

QSize HeatMapPlot::figureSize() const
{
    return m_impl->square ? QSize(460, 540) : PlotView::figureSize();
}

void HeatMapPlot::fitSquare(QSize area)
{
    QCPAxisRect *rect = plot()->axisRect();
    if (!m_impl->square)
        return;
    const QFontMetrics metrics(axisFont());
    const int barHeight = m_impl->barPlace == ColorBar::Below ? BarWidth + 2 * metrics.height() + 14 : 0;
    const QMargins margins = rect->margins();
    const int side = std::min(area.width() - margins.left() - margins.right(),
                              area.height() - margins.top() - margins.bottom() - barHeight);
    rect->setMaximumSize(std::max(20, side), std::max(20, side));
}

void HeatMapPlot::fillMap(QSize pixels)
{
    const HeatMapSource &source = *m_impl->source;
    const QCPRange x = plot()->xAxis->range();
    const QCPRange y = plot()->yAxis->range();
    const Bins columns = binsFor(x.lower, x.upper, source.columns(), pixels.width());
    const Bins rows = binsFor(y.lower, y.upper, source.rows(), pixels.height());
    const bool sameGrid = rows == m_impl->rowBins && columns.first == m_impl->columnBins.first
                          && columns.width == m_impl->columnBins.width;
    const qsizetype known = sameGrid ? m_impl->columnBins.count : 0;
    const qsizetype dirty = sameGrid ? std::max<qsizetype>(0, columns.binOf(m_impl->dirtyColumn)) : 0;
    const qsizetype start = std::min({dirty, known, columns.count});
    fillBins(rows, columns, source.rows(), source.columns(), start,
             [&source](qsizetype row, qsizetype column) { return source.value(row, column); }, m_impl->cells);
    m_impl->rowBins = rows;
    m_impl->columnBins = columns;
    m_impl->dirtyColumn = std::numeric_limits<qsizetype>::max();

    // QCustomPlot gives a single cell no extent: a second, transparent one keeps its width.
    const int width = int(std::max<qsizetype>(2, columns.count));
    const int height = int(std::max<qsizetype>(2, rows.count));
    QCPColorMapData *data = m_impl->map->data();
    data->setSize(width, height);
    data->setRange({columns.centre(0), columns.centre(width - 1)}, {rows.centre(0), rows.centre(height - 1)});
    for (int column = 0; column < width; ++column) {
        for (int row = 0; row < height; ++row) {
            const bool inside = column < columns.count && row < rows.count;
            float cell = inside ? m_impl->cells[std::size_t(column * rows.count + row)] : NAN;
            if (m_impl->logarithmic && cell < m_impl->valueRange.lower)
                cell = float(m_impl->valueRange.lower);
            data->setCell(column, row, cell);
        }
    }
}

QString HeatMapPlot::readOut(QPoint position) const
{
    if (isEmpty() || !plot()->axisRect()->rect().contains(position))
        return {};
    const auto column = nearestCell(plot()->xAxis->pixelToCoord(position.x()), m_impl->source->columns());
    const auto row = nearestCell(plot()->yAxis->pixelToCoord(position.y()), m_impl->source->rows());
    return column && row ? m_impl->source->readOut(*row, *column) : QString();
}

void HeatMapPlot::choose(QPoint position)
{
    if (isEmpty() || !plot()->axisRect()->rect().contains(position))
        return;
    const auto column = nearestCell(plot()->xAxis->pixelToCoord(position.x()), m_impl->source->columns());
    const auto row = nearestCell(plot()->yAxis->pixelToCoord(position.y()), m_impl->source->rows());
    if (column && row)
        Q_EMIT cellChosen(*row, *column);
}

void HeatMapPlot::moveChoice(int right, int down)
{
    if (isEmpty())
        return;
    const qsizetype column = std::clamp<qsizetype>(m_impl->crossHair->column + right, 0, m_impl->source->columns() - 1);
    const qsizetype row = std::clamp<qsizetype>(m_impl->crossHair->row + down, 0, m_impl->source->rows() - 1);
    setAccessibleDescription(m_impl->source->readOut(row, column));
    Q_EMIT cellChosen(row, column);
}

} // namespace lens
