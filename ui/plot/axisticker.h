// Lets a plain function make the ticks of a QCustomPlot axis.
#pragma once

#include "plot/qcp.h"
#include "plot/ticks.h"

#include <functional>

namespace lens {

class AxisTicker : public QCPAxisTicker {
public:
    using Maker = std::function<std::vector<Tick>(double lower, double upper)>;

    explicit AxisTicker(Maker maker) : m_maker(std::move(maker)) {}

    void generate(const QCPRange &range, const QLocale &, QChar, int, QVector<double> &ticks, QVector<double> *subTicks,
                  QVector<QString> *labels) override
    {
        ticks.clear();
        if (subTicks)
            subTicks->clear();
        if (labels)
            labels->clear();
        for (const Tick &tick : m_maker(range.lower, range.upper)) {
            ticks.append(tick.position);
            if (labels)
                labels->append(tick.label);
        }
    }

private:
    Maker m_maker;
};

} // namespace lens
