#include "lens/rowlayout.h"

#include <cmath>

namespace lens {

std::int64_t RowLayout::rowOf(std::int64_t layer, std::int64_t head) const
{
    if (layer < 0 || layer >= layers || head < 0 || head >= heads || (onlyLayer >= 0 && layer != onlyLayer))
        return -1;
    return onlyLayer < 0 ? layer * heads + head : head;
}

std::vector<Tick> RowLayout::ticks(double lower, double upper, int capacity) const
{
    if (onlyLayer >= 0 || heads <= 0)
        return integerTicks(lower, upper, capacity);
    if (std::floor(upper) - std::ceil(lower) + 1 <= capacity) {
        std::vector<Tick> named = integerTicks(lower, upper, capacity);
        for (Tick &tick : named) {
            const auto row = std::int64_t(tick.position);
            tick.label = QStringLiteral("%1·%2").arg(layerOf(row)).arg(headOf(row));
        }
        return named;
    }
    const double middle = (double(heads) - 1) / 2;
    std::vector<Tick> named = integerTicks((lower - middle) / double(heads), (upper - middle) / double(heads), capacity);
    for (Tick &tick : named)
        tick.position = tick.position * double(heads) + middle;
    return named;
}

} // namespace lens
