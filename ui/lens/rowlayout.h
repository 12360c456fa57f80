// How layer x head is laid out along an axis: all layers stacked, heads within them, or the heads of one layer.
#pragma once

#include "plot/ticks.h"

#include <cstdint>
#include <vector>

namespace lens {

struct RowLayout {
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::int64_t onlyLayer = -1;  ///< -1: all

    bool operator==(const RowLayout &) const = default;

    std::int64_t rows() const { return onlyLayer < 0 ? layers * heads : heads; }
    std::int64_t layerOf(std::int64_t row) const { return onlyLayer < 0 ? row / heads : onlyLayer; }
    std::int64_t headOf(std::int64_t row) const { return onlyLayer < 0 ? row % heads : row; }
    /// -1 where the layer or head is not shown.
    std::int64_t rowOf(std::int64_t layer, std::int64_t head) const;

    /// Heads where every row can be named, layers at the middle of their rows otherwise.
    std::vector<Tick> ticks(double lower, double upper, int capacity) const;
};

} // namespace lens
