// Loss, held-out perplexity, gradient norm and learning rate over the steps, of one run or of several laid over each
// other.
#pragma once

#include "store/trainingstore.h"

#include <QWidget>

#include <array>
#include <memory>
#include <vector>

class QComboBox;
class QMenu;
class QToolButton;

namespace lens {

class LineChart;

struct PlottedRun {
    QString name;
    double colorPosition = 0; ///< see curveColor(); the run's own as long as it is on show
    std::shared_ptr<const TrainingMetrics> metrics;
};

class RunCurves : public QWidget {
    Q_OBJECT

public:
    enum Chart { Loss, Perplexity, GradientNorm, LearningRate, ChartCount };

    explicit RunCurves(QWidget *parent = nullptr);

    /// The first one is emphasised when there are several.
    void setRuns(std::vector<PlottedRun> runs);
    LineChart &chart(Chart chart) { return *m_charts[chart]; }

private:
    QWidget *makeBar();
    void fillMenu(QMenu *menu);
    void redraw();
    void drawChart(Chart chart);

    std::array<LineChart *, ChartCount> m_charts;
    QToolButton *m_logarithmic;
    QComboBox *m_smoothing;
    std::vector<PlottedRun> m_runs;
};

} // namespace lens
