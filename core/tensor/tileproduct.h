// Products of float32 matrices on machines whose matrix unit (AMX) multiplies bfloat16 several times as fast as their vector
// units multiply float32.
#pragma once

#include "kernels/tiles.h"

#include <ATen/ATen.h>
#include <functional>

namespace lens {

/// Writes rows 16 panel..16 panel + 15 of a matrix in two parts, each [columns/2, 16, 2]. Called by several threads at once.
using PanelSource = std::function<void(std::int64_t panel, kernels::BFloat16 *high, kernels::BFloat16 *low)>;

/// x W^T, x [T,columns] float32 on the CPU, columns a multiple of kernels::kTileColumns; [T, 16 panels]. Both sides are taken
/// apart into two bfloat16 numbers each, and the three products that count are summed in float32: no term is wrong by more
/// than 2^-14 of it. Only where kernels::hasTiles(); each panel of W is asked for once.
at::Tensor tileProduct(const at::Tensor &x, std::int64_t panels, const PanelSource &W);

} // namespace lens
