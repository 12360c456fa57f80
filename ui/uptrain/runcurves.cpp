#include "uptrain/runcurves.h"

#include "bridge/trainingdata.h"
#include "plot/linechart.h"

#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QToolButton>

#include <cmath>
#include <set>

namespace lens {
namespace {

using Value = double (*)(const StepMetrics &);

Curve curveOf(const PlottedRun &run, Value value, double smoothing)
{
    Curve curve;
    curve.name = run.name;
    curve.colorPosition = run.colorPosition;
    curve.x.reserve(run.metrics->steps.size());
    for (const StepMetrics &step : run.metrics->steps) {
        curve.x.push_back(double(step.step));
        curve.y.push_back(value(step));
    }
    curve.y = smoothed(curve.y, smoothing);
    return curve;
}

Curve perplexityOf(const PlottedRun &run)
{
    Curve curve;
    curve.name = run.name;
    curve.colorPosition = run.colorPosition;
    for (const EvaluationMetrics &evaluation : run.metrics->evaluations) {
        curve.x.push_back(double(evaluation.step));
        curve.y.push_back(evaluation.perplexity);
    }
    return curve;
}

/// The originals' perplexities, each drawn once over the steps of the runs.
void addReferences(std::vector<Curve> &curves, const std::vector<PlottedRun> &runs)
{
    std::set<double> known;
    double first = 0;
    double last = 1;
    for (const Curve &curve : curves)
        last = std::max(last, curve.x.back());
    for (const PlottedRun &run : runs) {
        const auto &evaluations = run.metrics->evaluations;
        const double original = evaluations.empty() ? 0 : evaluations.back().originalPerplexity;
        if (original > 0 && known.insert(std::round(original * 100)).second)
            curves.push_back({RunCurves::tr("softmax original"), 0, {first, last}, {original, original},
                              CurveStyle::Reference});
    }
}

} // namespace

RunCurves::RunCurves(QWidget *parent) : QWidget(parent), m_logarithmic(new QToolButton), m_smoothing(new QComboBox)
{
    const QString titles[] = {tr("Loss"), tr("Held-out perplexity"), tr("Gradient norm"), tr("Learning rate")};
    const QString units[] = {tr("loss"), tr("perplexity"), tr("norm before clipping"), tr("rate")};
    auto *grid = new QGridLayout;
    grid->setSpacing(6);
    for (int i = 0; i < ChartCount; ++i) {
        m_charts[i] = new LineChart;
        m_charts[i]->setTitle(titles[i]);
        m_charts[i]->setAxes(tr("steps"), units[i]);
        m_charts[i]->setHint(tr("%1: nothing measured yet").arg(titles[i]));
        m_charts[i]->fitYRange();
        auto *cell = new QVBoxLayout;
        cell->setSpacing(0);
        auto *heading = new QLabel(titles[i]);
        heading->setProperty("heading", true);
        heading->setContentsMargins(6, 0, 0, 0);
        cell->addWidget(heading);
        cell->addWidget(m_charts[i], 1);
        grid->addLayout(cell, i / 2, i % 2);
    }
    m_charts[Perplexity]->setYLogarithmic(true);
    m_charts[LearningRate]->fitYRange(0);
    m_charts[GradientNorm]->fitYRange(0);
    for (int i = 0; i < 2; ++i) {
        grid->setRowStretch(i, 1);
        grid->setColumnStretch(i, 1);
    }
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(makeBar());
    layout->addLayout(grid, 1);
}

QWidget *RunCurves::makeBar()
{
    m_logarithmic->setText(tr("log"));
    m_logarithmic->setCheckable(true);
    m_logarithmic->setToolTip(tr("Logarithmic loss and gradient norm"));
    m_logarithmic->setAccessibleName(m_logarithmic->toolTip());
    m_smoothing->addItem(tr("as measured"), 0.0);
    m_smoothing->addItem(tr("smoothed"), 0.8);
    m_smoothing->addItem(tr("much smoothed"), 0.97);
    m_smoothing->setCurrentIndex(1);
    m_smoothing->setAccessibleName(tr("Smoothing of loss and gradient norm"));
    m_smoothing->setToolTip(m_smoothing->accessibleName());
    auto *more = new QToolButton;
    more->setText(QStringLiteral("⋯"));
    more->setToolTip(tr("Tables, zoom, export of the curves"));
    more->setAccessibleName(more->toolTip());
    more->setPopupMode(QToolButton::InstantPopup);
    auto *menu = new QMenu(more);
    more->setMenu(menu);
    auto *bar = new QWidget;
    auto *row = new QHBoxLayout(bar);
    row->setContentsMargins(6, 0, 4, 0);
    row->addStretch();
    row->addWidget(m_smoothing);
    row->addWidget(m_logarithmic);
    row->addWidget(more);
    connect(menu, &QMenu::aboutToShow, this, [this, menu] { fillMenu(menu); });
    connect(m_smoothing, &QComboBox::currentIndexChanged, this, &RunCurves::redraw);
    connect(m_logarithmic, &QToolButton::toggled, this, [this](bool on) {
        m_charts[Loss]->setYLogarithmic(on);
        m_charts[GradientNorm]->setYLogarithmic(on);
        m_charts[GradientNorm]->fitYRange(on ? std::nullopt : std::optional<double>(0));
        redraw();
    });
    return bar;
}

void RunCurves::fillMenu(QMenu *menu)
{
    menu->clear();
    for (LineChart *chart : m_charts)
        chart->addActionsTo(menu->addMenu(chart->title()));
}

void RunCurves::setRuns(std::vector<PlottedRun> runs)
{
    m_runs = std::move(runs);
    redraw();
}

void RunCurves::redraw()
{
    for (int i = 0; i < ChartCount; ++i)
        drawChart(Chart(i));
}

void RunCurves::drawChart(Chart chart)
{
    static constexpr Value values[] = {[](const StepMetrics &step) { return step.loss; }, nullptr,
                                       [](const StepMetrics &step) { return step.gradientNorm; },
                                       [](const StepMetrics &step) { return step.learningRate; }};
    const double smoothing =
        chart == Loss || chart == GradientNorm ? m_smoothing->currentData().toDouble() : 0;
    std::vector<Curve> curves;
    for (const PlottedRun &run : m_runs) {
        Curve curve = chart == Perplexity ? perplexityOf(run) : curveOf(run, values[chart], smoothing);
        if (curve.x.empty())
            continue;
        // Behind a single run's mean stands what was measured; behind several it would be a thicket.
        if (smoothing > 0 && m_runs.size() == 1) {
            Curve raw = curveOf(run, values[chart], 0);
            raw.style = CurveStyle::Faint;
            curves.push_back(std::move(raw));
        }
        curves.push_back(std::move(curve));
    }
    if (chart == Perplexity)
        addReferences(curves, m_runs);
    const bool overMeasured = m_runs.size() == 1 && smoothing > 0;
    const int own = curves.empty() ? -1 : overMeasured ? 1 : 0;
    m_charts[chart]->setLegendShown(chart == Perplexity ? !curves.empty() : chart == Loss && m_runs.size() > 1);
    m_charts[chart]->setCurves(std::move(curves), true);
    m_charts[chart]->setEmphasised(own);
}

} // namespace lens
