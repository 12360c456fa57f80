#include "plot/linechart.h"

#include "plot/axisticker.h"
#include "plot/colorscale.h"

#include <QFontMetrics>

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

constexpr double ReachPixels = 12;  ///< how far from a curve the mouse still means it
constexpr double Margin = 0.06;     ///< of a fitted range, above and below
constexpr double FaintAlpha = 0.35;

double valueAt(const Curve &curve, double x)
{
    const auto upper = std::lower_bound(curve.x.begin(), curve.x.end(), x);
    if (upper == curve.x.end())
        return curve.y.back();
    const auto index = std::size_t(upper - curve.x.begin());
    if (index == 0)
        return curve.y.front();
    const double share = (x - curve.x[index - 1]) / (curve.x[index] - curve.x[index - 1]);
    return curve.y[index - 1] + (curve.y[index] - curve.y[index - 1]) * share;
}

} // namespace

struct LineChart::Impl {
    std::vector<Curve> curves;
    QString xName, yName;
    int emphasised = -1;
    bool logarithmic = false;
    bool yLogarithmic = false;
    bool fitted = false;
    std::optional<double> lowest;
    bool legend = false;
    bool zoomed = false;
    bool settingRange = false;
    QCPRange yRange{0, 1};

    QCPRange xExtent() const
    {
        QCPRange extent(curves.front().x.front(), curves.front().x.back());
        for (const Curve &curve : curves)
            extent.expand({curve.x.front(), curve.x.back()});
        // One point, or none but at one place, still has room around it.
        return extent.size() > 0 ? extent : QCPRange(extent.lower - 0.5, extent.upper + 0.5);
    }

    /// Of all finite values, positive ones on a logarithmic axis; nothing when there are none.
    std::optional<QCPRange> yExtent() const
    {
        std::optional<QCPRange> extent;
        const auto take = [&](double value) {
            if (!std::isfinite(value) || (yLogarithmic && value <= 0))
                return;
            if (extent)
                extent->expand(value);
            else
                extent = QCPRange(value, value);
        };
        for (const Curve &curve : curves)
            std::for_each(curve.y.begin(), curve.y.end(), take);
        if (extent && lowest)
            take(*lowest);
        return extent;
    }

    QCPRange fittedRange() const
    {
        const std::optional<QCPRange> extent = yExtent();
        if (!extent)
            return yLogarithmic ? QCPRange(1, 10) : QCPRange(0, 1);
        if (yLogarithmic) {
            const double factor = std::max(1.05, std::pow(extent->upper / extent->lower, Margin));
            return {extent->lower / factor, extent->upper * factor};
        }
        const double room = extent->size() > 0 ? extent->size() * Margin : std::max(1e-9, std::abs(extent->upper) * Margin);
        return {lowest && extent->lower >= *lowest ? *lowest : extent->lower - room, extent->upper + room};
    }
};

LineChart::LineChart(QWidget *parent) : PlotView(parent), m_impl(std::make_unique<Impl>())
{
    QCustomPlot *plot = this->plot();
    plot->axisRect()->setMinimumMargins(QMargins(2, 8, 10, 2));
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    plot->axisRect()->setRangeDrag(Qt::Horizontal);
    plot->axisRect()->setRangeZoom(Qt::Horizontal);
    plot->xAxis->grid()->setVisible(false);
    plot->legend->setBorderPen(Qt::NoPen);
    plot->legend->setRowSpacing(-4);
    const auto values = [](QCPAxis *axis, const bool *logarithmic, bool horizontal) {
        return QSharedPointer<QCPAxisTicker>(new AxisTicker([=](double lower, double upper) {
            const QFontMetrics metrics(axis->tickLabelFont());
            const double each = horizontal ? metrics.horizontalAdvance(QStringLiteral("0,000")) + 12 : metrics.height() * 1.5;
            const double pixels = horizontal ? axis->axisRect()->width() : axis->axisRect()->height();
            return valueTicks(lower, upper, tickCapacity(pixels, each), *logarithmic);
        }));
    };
    plot->xAxis->setTicker(values(plot->xAxis, &m_impl->logarithmic, true));
    plot->yAxis->setTicker(values(plot->yAxis, &m_impl->yLogarithmic, false));
    connect(plot->xAxis, qOverload<const QCPRange &, const QCPRange &>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange &range, const QCPRange &before) {
                if (m_impl->settingRange || m_impl->curves.empty())
                    return;
                m_impl->settingRange = true;
                const QCPRange extent = m_impl->xExtent();
                const bool fits = range.lower >= extent.lower && range.upper <= extent.upper && range.size() > 0;
                this->plot()->xAxis->setRange(fits ? range : range.size() >= extent.size() ? extent : before);
                m_impl->zoomed = true;
                m_impl->settingRange = false;
            });
}

LineChart::~LineChart() = default;

void LineChart::setAxes(const QString &xName, const QString &yName)
{
    m_impl->xName = xName;
    m_impl->yName = yName;
    plot()->xAxis->setLabel(xName);
    plot()->yAxis->setLabel(yName);
}

void LineChart::setCurves(std::vector<Curve> curves, bool keepView)
{
    std::erase_if(curves, [](const Curve &curve) { return curve.x.empty(); });
    m_impl->curves = std::move(curves);
    plot()->clearGraphs();
    for (const Curve &curve : m_impl->curves) {
        QCPGraph *graph = plot()->addGraph();
        graph->setName(curve.name);
        graph->setData(QVector<double>(curve.x.begin(), curve.x.end()), QVector<double>(curve.y.begin(), curve.y.end()), true);
        graph->setAdaptiveSampling(true);
        if (curve.x.size() == 1)
            graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, 5));
    }
    m_impl->zoomed = m_impl->zoomed && keepView;
    restyle();
    scheduleUpdate();
}

void LineChart::setEmphasised(int curve)
{
    m_impl->emphasised = curve;
    restyle();
    scheduleUpdate();
}

void LineChart::setLogarithmic(bool logarithmic)
{
    m_impl->logarithmic = logarithmic;
    m_impl->zoomed = false;
    plot()->xAxis->setScaleType(logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    scheduleUpdate();
}

void LineChart::setYRange(double lower, double upper)
{
    m_impl->fitted = false;
    m_impl->yRange = QCPRange(lower, upper);
}

void LineChart::fitYRange(std::optional<double> lowest)
{
    m_impl->fitted = true;
    m_impl->lowest = lowest;
}

void LineChart::setYLogarithmic(bool logarithmic)
{
    m_impl->yLogarithmic = logarithmic;
    plot()->yAxis->setScaleType(logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    scheduleUpdate();
}

void LineChart::setLegendShown(bool shown)
{
    m_impl->legend = shown;
    scheduleUpdate();
}

QColor LineChart::curveColor(int curve) const
{
    return lens::curveColor(m_impl->curves.at(std::size_t(curve)).colorPosition, theme().dark);
}

bool LineChart::isEmpty() const
{
    return m_impl->curves.empty();
}

PlotTable LineChart::table() const
{
    PlotTable table;
    table.headers = {tr("Curve"), m_impl->xName, m_impl->yName};
    struct Point {
        QString curve;
        double x, y;
    };
    std::vector<Point> points;
    const QCPRange range = plot()->xAxis->range();
    for (const Curve &curve : m_impl->curves)
        for (std::size_t i = 0; i < curve.x.size(); ++i)
            if (!m_impl->zoomed || range.contains(curve.x[i]))
                points.push_back({curve.name, curve.x[i], curve.y[i]});
    table.rows = qsizetype(points.size());
    table.row = [points = std::move(points)](qsizetype row) {
        const Point &point = points[std::size_t(row)];
        return QVariantList{point.curve, point.x, point.y};
    };
    return table;
}

void LineChart::resetView()
{
    m_impl->zoomed = false;
    scheduleUpdate();
}

void LineChart::restyle()
{
    for (QCPAxis *axis : {plot()->xAxis, plot()->yAxis})
        styleAxis(axis, theme(), axisFont());
    plot()->legend->setFont(axisFont());
    plot()->legend->setTextColor(theme().foreground);
    plot()->legend->setBrush(QBrush(theme().background));
    for (int i = 0; i < plot()->graphCount(); ++i) {
        const CurveStyle style = m_impl->curves[std::size_t(i)].style;
        QColor color = style == CurveStyle::Reference ? theme().muted : curveColor(i);
        const bool thick = i == m_impl->emphasised;
        if (style == CurveStyle::Faint)
            color.setAlphaF(FaintAlpha);
        else if (!thick && m_impl->emphasised >= 0)
            color.setAlphaF(0.75f);
        const Qt::PenStyle line = style == CurveStyle::Reference ? Qt::DashLine : Qt::SolidLine;
        plot()->graph(i)->setPen(QPen(color, thick ? 2.6 : 1.1, line));
        if (style == CurveStyle::Faint)
            plot()->graph(i)->removeFromLegend();
        plot()->graph(i)->setLayer(thick ? QStringLiteral("overlay") : QStringLiteral("main"));
    }
}

void LineChart::prepare(QSize, double)
{
    m_impl->settingRange = true;
    if (!m_impl->zoomed && !isEmpty())
        plot()->xAxis->setRange(m_impl->xExtent());
    plot()->yAxis->setRange(m_impl->fitted ? m_impl->fittedRange() : m_impl->yRange);
    m_impl->settingRange = false;
    plot()->legend->setVisible(m_impl->legend || isFigure());
}

int LineChart::nearestCurve(QPoint position, double *value) const
{
    if (isEmpty() || !plot()->axisRect()->rect().contains(position))
        return -1;
    const double x = plot()->xAxis->pixelToCoord(position.x());
    int nearest = -1;
    double closest = ReachPixels;
    for (std::size_t i = 0; i < m_impl->curves.size(); ++i) {
        const double y = valueAt(m_impl->curves[i], x);
        const double distance = std::abs(plot()->yAxis->coordToPixel(y) - position.y());
        if (!(distance <= closest))  // a gap has no distance
            continue;
        closest = distance;
        nearest = int(i);
        if (value)
            *value = y;
    }
    return nearest;
}

QString LineChart::readOut(QPoint position) const
{
    double value = 0;
    const int curve = nearestCurve(position, &value);
    if (curve < 0)
        return {};
    return tr("%1\n%2: %3\n%4: %5")
        .arg(m_impl->curves[std::size_t(curve)].name, m_impl->xName,
             formatValue(std::round(plot()->xAxis->pixelToCoord(position.x()))), m_impl->yName, formatValue(value));
}

void LineChart::choose(QPoint position)
{
    if (const int curve = nearestCurve(position); curve >= 0)
        Q_EMIT curveChosen(curve);
}

void LineChart::moveChoice(int right, int down)
{
    if (!isEmpty())
        Q_EMIT curveChosen(std::clamp(m_impl->emphasised + right + down, 0, int(m_impl->curves.size()) - 1));
}

} // namespace lens
