// One bar a token, low and wide, with a mark at one of them.
#pragma once

#include "plot/plotview.h"

#include <functional>
#include <memory>
#include <vector>

namespace lens {

class BarStrip : public PlotView {
    Q_OBJECT

public:
    explicit BarStrip(QWidget *parent = nullptr);
    ~BarStrip() override;

    void setAxes(const QString &xName, const QString &yName);
    /// values[i] stands at x = first + i; values that are not finite leave a gap.
    void setValues(qint64 first, std::vector<float> values);
    /// A dashed line at x, named; -1 for none.
    void setMark(qint64 x, const QString &name);
    void setChosen(qint64 x);
    /// Text of the read-out for a bar, and the table's rows: `fields` yields as many values as `headers`.
    void setDescriptions(std::function<QString(qint64 x)> readOut, QStringList headers,
                         std::function<QVariantList(qint64 x)> fields);

    bool isEmpty() const override;
    PlotTable table() const override;

public Q_SLOTS:
    void resetView() override;

Q_SIGNALS:
    void barChosen(qint64 x);

protected:
    void restyle() override;
    void prepare(QSize area, double scale) override;
    QString readOut(QPoint position) const override;
    void choose(QPoint position) override;
    void moveChoice(int right, int down) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace lens
