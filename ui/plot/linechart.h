// A family of curves over one axis, one of them emphasised. The legend stands in figures always, on screen when asked
// for (a table beside the chart often is the better legend).
#pragma once

#include "plot/plotview.h"

#include <QColor>
#include <QList>
#include <QString>

#include <memory>
#include <optional>
#include <vector>

namespace lens {

enum class CurveStyle {
    Plain,
    Faint,      ///< behind the others, as measurements behind their mean
    Reference,  ///< dashed, without a colour of its own
};

struct Curve {
    QString name;
    double colorPosition = 0;  ///< 0..1, see curveColor()
    std::vector<double> x, y;  ///< equally many; x grows; a y that is not finite leaves a gap
    CurveStyle style = CurveStyle::Plain;
};

class LineChart : public PlotView {
    Q_OBJECT

public:
    explicit LineChart(QWidget *parent = nullptr);
    ~LineChart() override;

    void setAxes(const QString &xName, const QString &yName);
    /// Shows all of them, unless the reader has zoomed and `keepView` is wanted.
    void setCurves(std::vector<Curve> curves, bool keepView = false);
    /// Drawn thick and last; -1 for none.
    void setEmphasised(int curve);
    /// Needs positive x values.
    void setLogarithmic(bool logarithmic);
    void setYRange(double lower, double upper);
    /// Instead of a fixed range: that of the curves, with `lowest` in it when given.
    void fitYRange(std::optional<double> lowest = {});
    /// Values that are not positive are left out.
    void setYLogarithmic(bool logarithmic);
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
