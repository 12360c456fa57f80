#include "plot/barstrip.h"

#include "plot/axisticker.h"

#include <QFontMetrics>

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

constexpr double SmallestView = 4;
constexpr double LeastTop = 1e-3;  ///< bars of rounding noise stay flat

} // namespace

struct BarStrip::Impl {
    qint64 first = 0;
    std::vector<float> values;
    QCPBars *bars = nullptr;
    QCPBars *chosenBar = nullptr;
    QCPItemStraightLine *mark = nullptr;
    QCPItemText *markName = nullptr;
    qint64 markAt = -1;
    qint64 chosen = -1;
    bool zoomed = false;
    bool settingRange = false;
    std::function<QString(qint64)> describe;
    QStringList headers;
    std::function<QVariantList(qint64)> fields;

    double lower() const { return double(first) - 0.5; }
    double upper() const { return double(first) + double(values.size()) - 0.5; }
    bool has(qint64 x) const { return x >= first && x < first + qint64(values.size()); }
    double at(qint64 x) const { return values[std::size_t(x - first)]; }
};

BarStrip::BarStrip(QWidget *parent) : PlotView(parent), m_impl(std::make_unique<Impl>())
{
    QCustomPlot *plot = this->plot();
    plot->axisRect()->setMinimumMargins(QMargins(2, 4, 8, 2));
    plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    plot->axisRect()->setRangeDrag(Qt::Horizontal);
    plot->axisRect()->setRangeZoom(Qt::Horizontal);
    plot->xAxis->grid()->setVisible(false);
    m_impl->bars = new QCPBars(plot->xAxis, plot->yAxis);
    m_impl->chosenBar = new QCPBars(plot->xAxis, plot->yAxis);
    for (QCPBars *bars : {m_impl->bars, m_impl->chosenBar}) {
        bars->setPen(Qt::NoPen);
        bars->setAntialiased(false);
        bars->setWidth(0.82);
    }
    m_impl->mark = new QCPItemStraightLine(plot);
    m_impl->markName = new QCPItemText(plot);
    m_impl->markName->position->setTypeX(QCPItemPosition::ptPlotCoords);
    m_impl->markName->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    m_impl->markName->setPadding(QMargins(4, 0, 4, 0));
    setMark(-1, {});
    plot->xAxis->setTicker(QSharedPointer<QCPAxisTicker>(new AxisTicker([axis = plot->xAxis](double lower, double upper) {
        const int each = QFontMetrics(axis->tickLabelFont()).horizontalAdvance(QStringLiteral("0,000")) + 12;
        return integerTicks(lower, upper, tickCapacity(axis->axisRect()->width(), each));
    })));
    plot->yAxis->setTicker(QSharedPointer<QCPAxisTicker>(new AxisTicker([axis = plot->yAxis](double lower, double upper) {
        const int each = QFontMetrics(axis->tickLabelFont()).height() + 4;
        return valueTicks(lower, upper, tickCapacity(axis->axisRect()->height(), each), false);
    })));
    connect(plot->xAxis, qOverload<const QCPRange &>(&QCPAxis::rangeChanged), this, [this](const QCPRange &range) {
        if (m_impl->settingRange)
            return;
        m_impl->settingRange = true;
        const double cells = m_impl->upper() - m_impl->lower();
        const double size = std::clamp(range.size(), std::min(SmallestView, cells), std::max(1.0, cells));
        const double lower = std::clamp(range.center() - size / 2, m_impl->lower(), std::max(m_impl->lower(), m_impl->upper() - size));
        this->plot()->xAxis->setRange(lower, lower + size);
        m_impl->zoomed = true;
        m_impl->settingRange = false;
    });
}

BarStrip::~BarStrip() = default;

void BarStrip::setAxes(const QString &xName, const QString &yName)
{
    plot()->xAxis->setLabel(xName);
    plot()->yAxis->setLabel(yName);
}

void BarStrip::setValues(qint64 first, std::vector<float> values)
{
    m_impl->first = first;
    m_impl->values = std::move(values);
    QVector<double> keys, heights;
    for (std::size_t i = 0; i < m_impl->values.size(); ++i) {
        if (!std::isfinite(m_impl->values[i]))
            continue;
        keys.append(double(first) + double(i));
        heights.append(m_impl->values[i]);
    }
    m_impl->bars->setData(keys, heights, true);
    m_impl->zoomed = false;
    scheduleUpdate();
}

void BarStrip::setMark(qint64 x, const QString &name)
{
    m_impl->markAt = x;
    m_impl->mark->setVisible(x >= 0);
    m_impl->markName->setVisible(x >= 0 && !name.isEmpty());
    m_impl->markName->setText(name);
    m_impl->mark->point1->setCoords(double(x) - 0.5, 0);
    m_impl->mark->point2->setCoords(double(x) - 0.5, 1);
    scheduleUpdate();
}

void BarStrip::setChosen(qint64 x)
{
    m_impl->chosen = x;
    scheduleUpdate();
}

void BarStrip::setDescriptions(std::function<QString(qint64)> readOut, QStringList headers,
                               std::function<QVariantList(qint64)> fields)
{
    m_impl->describe = std::move(readOut);
    m_impl->headers = std::move(headers);
    m_impl->fields = std::move(fields);
}

bool BarStrip::isEmpty() const
{
    return m_impl->values.empty();
}

PlotTable BarStrip::table() const
{
    PlotTable table;
    if (isEmpty() || !m_impl->fields)
        return table;
    const QCPRange range = plot()->xAxis->range();
    const qint64 last = m_impl->first + qint64(m_impl->values.size()) - 1;
    const qint64 from = m_impl->zoomed ? std::max(m_impl->first, qint64(std::ceil(range.lower))) : m_impl->first;
    const qint64 to = m_impl->zoomed ? std::min(last, qint64(std::floor(range.upper))) : last;
    table.headers = m_impl->headers;
    table.rows = to - from + 1;
    table.row = [fields = m_impl->fields, from](qsizetype row) { return fields(from + row); };
    return table;
}

void BarStrip::resetView()
{
    m_impl->zoomed = false;
    scheduleUpdate();
}

void BarStrip::restyle()
{
    for (QCPAxis *axis : {plot()->xAxis, plot()->yAxis})
        styleAxis(axis, theme(), axisFont());
    m_impl->bars->setBrush(theme().accent);
    m_impl->chosenBar->setBrush(theme().foreground);
    m_impl->mark->setPen(QPen(theme().warning, 1, Qt::DashLine));
    m_impl->markName->setColor(theme().warning);
    m_impl->markName->setFont(axisFont());
}

void BarStrip::prepare(QSize, double)
{
    m_impl->settingRange = true;
    if (!m_impl->zoomed)
        plot()->xAxis->setRange(m_impl->lower(), m_impl->upper());
    double top = LeastTop;
    for (const float value : m_impl->values)
        if (std::isfinite(value))
            top = std::max(top, double(value));
    plot()->yAxis->setRange(0, top * 1.05);
    m_impl->settingRange = false;

    const bool shown = m_impl->has(m_impl->chosen) && std::isfinite(m_impl->at(m_impl->chosen));
    m_impl->chosenBar->setData(shown ? QVector<double>{double(m_impl->chosen)} : QVector<double>{},
                               shown ? QVector<double>{std::max(m_impl->at(m_impl->chosen), top * 0.04)} : QVector<double>{});
    const bool rightHalf = double(m_impl->markAt) > plot()->xAxis->range().center();
    m_impl->markName->setPositionAlignment((rightHalf ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignTop);
    m_impl->markName->position->setCoords(double(m_impl->markAt) - 0.5, 0);
}

QString BarStrip::readOut(QPoint position) const
{
    const auto x = qint64(std::floor(plot()->xAxis->pixelToCoord(position.x()) + 0.5));
    const bool inside = plot()->axisRect()->rect().contains(position) && m_impl->has(x);
    return inside && m_impl->describe ? m_impl->describe(x) : QString();
}

void BarStrip::choose(QPoint position)
{
    const auto x = qint64(std::floor(plot()->xAxis->pixelToCoord(position.x()) + 0.5));
    if (m_impl->has(x))
        Q_EMIT barChosen(x);
}

void BarStrip::moveChoice(int right, int down)
{
    if (isEmpty())
        return;
    const qint64 last = m_impl->first + qint64(m_impl->values.size()) - 1;
    const qint64 x = std::clamp(m_impl->chosen + right + down, m_impl->first, last);
    if (m_impl->describe)
        setAccessibleDescription(m_impl->describe(x));
    Q_EMIT barChosen(x);
}

} // namespace lens
