#include "uptrain/fidelityview.h"

#include "plot/heatmapplot.h"
#include "plot/linechart.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QSignalBlocker>
#include <QSlider>
#include <QVBoxLayout>

#include <cmath>

namespace lens {
namespace {

/// Layers as rows, heads as columns.
class FidelitySource : public HeatMapSource {
public:
    explicit FidelitySource(LayerMetrics metrics) : m_metrics(std::move(metrics)) {}

    qsizetype rows() const override { return m_metrics.layers; }
    qsizetype columns() const override { return m_metrics.heads; }
    float value(qsizetype row, qsizetype column) const override
    {
        return m_metrics.headFidelity[std::size_t(row * m_metrics.heads + column)];
    }
    ValueRange range(bool) const override { return {0, 1}; }
    QStringList fieldNames() const override
    {
        return {FidelityView::tr("Layer"), FidelityView::tr("Head"), FidelityView::tr("Fidelity")};
    }
    QVariantList fields(qsizetype row, qsizetype column) const override { return {row, column, value(row, column)}; }
    QString readOut(qsizetype row, qsizetype column) const override
    {
        const float fidelity = value(row, column);
        if (!std::isfinite(fidelity))
            return FidelityView::tr("Layer %1: softmax, not converted").arg(row);
        return FidelityView::tr("Layer %1, head %2\nfidelity %3\nerror of the layer's output %4")
            .arg(row)
            .arg(column)
            .arg(formatValue(fidelity), formatValue(m_metrics.outputError[std::size_t(row)]));
    }

private:
    LayerMetrics m_metrics;
};

bool fits(const LayerMetrics &metrics)
{
    const auto layers = std::size_t(metrics.layers);
    return metrics.layers > 0 && metrics.heads > 0 && metrics.largestActivation.size() == layers &&
           metrics.outputError.size() == layers && metrics.headFidelity.size() == layers * std::size_t(metrics.heads);
}

bool hasFidelity(const LayerMetrics &metrics)
{
    for (const float value : metrics.headFidelity) {
        if (std::isfinite(value))
            return true;
    }
    return false;
}

QLabel *heading(const QString &text)
{
    auto *label = new QLabel(text);
    label->setProperty("heading", true);
    return label;
}

} // namespace

FidelityView::FidelityView(QWidget *parent)
    : QWidget(parent), m_map(new HeatMapPlot), m_activations(new LineChart), m_slider(new QSlider(Qt::Horizontal)),
      m_step(new QLabel)
{
    m_map->setTitle(tr("Fidelity to the softmax original"));
    m_map->setColumnAxis(tr("head"));
    m_map->setRowAxis(tr("layer"));
    m_map->setColors(ColorScale::Magnitude, tr("cosine with the original's output"), ColorBar::Below);
    m_map->setRowZoom(true);
    m_activations->setTitle(tr("Largest activation per layer"));
    m_activations->setAxes(tr("steps"), tr("max |x|"));
    m_activations->fitYRange(0);
    m_activations->setHint(tr("Largest activation: nothing measured yet"));
    m_slider->setAccessibleName(tr("Step of the fidelity map"));
    m_step->setProperty("muted", true);
    m_step->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("step 000,000")));
    auto *bar = new QHBoxLayout;
    bar->addWidget(m_slider, 1);
    bar->addWidget(m_step);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 4);
    layout->setSpacing(4);
    layout->addWidget(heading(tr("Fidelity per layer and head")));
    layout->addWidget(m_map, 3);
    layout->addLayout(bar);
    layout->addWidget(heading(m_activations->title()));
    layout->addWidget(m_activations, 2);
    connect(m_slider, &QSlider::valueChanged, this, &FidelityView::showMeasurement);
    setMetrics(nullptr);
}

void FidelityView::setMetrics(std::shared_ptr<const TrainingMetrics> metrics)
{
    const bool follow = !m_metrics || m_slider->value() == m_slider->maximum() || !metrics ||
                        metrics->layers.size() < m_metrics->layers.size();
    m_metrics = std::move(metrics);
    const int last = m_metrics ? std::max(0, int(m_metrics->layers.size()) - 1) : 0;
    {
        const QSignalBlocker block(m_slider);
        m_slider->setMaximum(last);
        if (follow)
            m_slider->setValue(last);
    }
    m_slider->setEnabled(last > 0);
    showMeasurement();
    showActivations();
}

const LayerMetrics *FidelityView::current() const
{
    const auto index = std::size_t(m_slider->value());
    return m_metrics && index < m_metrics->layers.size() ? &m_metrics->layers[index] : nullptr;
}

std::int64_t FidelityView::shownStep() const
{
    const LayerMetrics *metrics = current();
    return metrics ? metrics->step : -1;
}

void FidelityView::showMeasurement()
{
    const LayerMetrics *metrics = current();
    m_step->setText(metrics ? tr("step %1").arg(QLocale().toString(qlonglong(metrics->step))) : QString());
    if (!metrics || !fits(*metrics) || !hasFidelity(*metrics)) {
        m_map->setHint(metrics ? tr("Nothing to compare: this run has no softmax original, nothing of it is converted, "
                                    "or no text is held out.")
                               : tr("Measured with every evaluation. The map closes as the linear layers learn to do "
                                    "what the softmax layers did."));
        m_map->setSource(nullptr);
        return;
    }
    m_map->setSource(std::make_shared<FidelitySource>(*metrics));
    m_map->refresh();
}

void FidelityView::showActivations()
{
    std::vector<Curve> curves;
    // As many as were measured: a damaged log may speak of any number of layers.
    const std::size_t layers = m_metrics && !m_metrics->layers.empty() ? m_metrics->layers.front().largestActivation.size() : 0;
    for (std::size_t layer = 0; layer < layers; ++layer) {
        Curve curve;
        curve.name = tr("layer %1").arg(layer);
        curve.colorPosition = layers > 1 ? double(layer) / double(layers - 1) : 0.5;
        for (const LayerMetrics &metrics : m_metrics->layers) {
            if (layer >= metrics.largestActivation.size())
                continue;
            curve.x.push_back(double(metrics.step));
            curve.y.push_back(metrics.largestActivation[layer]);
        }
        curves.push_back(std::move(curve));
    }
    m_activations->setCurves(std::move(curves), true);
}

} // namespace lens
