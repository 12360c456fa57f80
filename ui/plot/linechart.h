// A family of curves over one axis, one of them emphasised. The legend stands in figures always, on screen when asked
// for (a table beside the chart often is the better legend).
#pragma once

#include "plot/plotview.h"

#include <QColor>
#include <QList>
#include <QString>

#include <memory>
#include <vector>

namespace lens {

struct Curve {
    QString name;
    double colorPosition = 0;  ///< 0..1, see curveColor()
    std::vector<double> x, y;  ///< equally many; x grows
};

class LineChart : public PlotView {
    Q_OBJECT

public:
    explicit LineChart(QWidget *parent = nullptr);
    ~LineChart() override;

    void setAxes(const QString &xName, const QString &yName);
    void setCurves(std::vector<Curve> curves);
    /// Drawn thick and last; -1 for none.
    void setEmphasised(int curve);
    /// Needs positive x values.
    void setLogarithmic(bool logarithmic);
    void setYRange(double lower, double upper);
    void setLegendShown(bool shown);
    QColor curveColor(int curve) const;

    bool isEmpty() const override;
    PlotTable table() const override;

public Q_SLOTS:
    void resetView() override;

Q_SIGNALS:
    void curveChosen(int curve);

protected:
    void restyle() override;
    void prepare(QSize area, double scale) override;
    QString readOut(QPoint position) const override;
    void choose(QPoint position) override;
    void moveChoice(int right, int down) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;

    int nearestCurve(QPoint position, double *value = nullptr) const;
};

} // namespace lens
