// Products of float32 matrices on machines whose matrix unit (AMX) multiplies bfloat16 several times as fast as their vector
// units multiply float32.
#pragma once

#include <ATen/ATen.h>
#include <functional>

namespace lens {

/// Writes rows first..first+count-1 of a matrix, [count,columns]. Called by several threads at once.
using RowSource = std::function<void(std::int64_t first, std::int64_t count, float *values)>;

/// x W^T, x [T,columns] float32 on the CPU, columns a multiple of kernels::kTile; [T,rows]. Both sides are taken apart into
/// two bfloat16 numbers each, and the three products that count are summed in float32: no term is wrong by more than 2^-14
/// of it. Only where kernels::hasTiles(); the rows of W are asked for once.
at::Tensor tileProduct(const at::Tensor &x, std::int64_t rows, const RowSource &W);

} // namespace lens
