// How close the linear layers are to the softmax layers they replace: a map of layers and heads at one step, and how
// far activations go. The slider moves through the steps; at its end it follows the run.
#pragma once

#include "store/trainingstore.h"

#include <QWidget>

#include <memory>

class QLabel;
class QSlider;

namespace lens {

class HeatMapPlot;
class LineChart;

class FidelityView : public QWidget {
    Q_OBJECT

public:
    explicit FidelityView(QWidget *parent = nullptr);

    void setMetrics(std::shared_ptr<const TrainingMetrics> metrics);
    /// Of the measurement on show; -1 when there is none.
    std::int64_t shownStep() const;

private:
    void showMeasurement();
    void showActivations();
    const LayerMetrics *current() const;

    HeatMapPlot *m_map;
    LineChart *m_activations;
    QSlider *m_slider;
    QLabel *m_step;
    std::shared_ptr<const TrainingMetrics> m_metrics;
};

} // namespace lens
