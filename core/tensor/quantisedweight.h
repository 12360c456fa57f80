// Weight matrices that stay as they lie in a GGUF file.
#pragma once

#include "kernels/blockformat.h"
#include "tensor/dtype.h"

#include <ATen/ATen.h>
#include <map>
#include <optional>
#include <string>

namespace lens {

/// [rows,columns] in the blocks of its file, which it keeps mapped, in blocks made from numbers, or in panels of either (see
/// kernels/panels.h). On the CPU; float32 to whoever multiplies with it.
class QuantisedWeight {
public:
    /// What rounding took away, where it was done here: sums over all numbers of (w - rounded w)^2 and w^2.
    struct Loss {
        double squaredError = 0, squaredNorm = 0;
    };

    /// `blocks` U8 [rows, bytes per row]; nothing when `type` is no quantised one or a row no whole number of blocks.
    static std::optional<QuantisedWeight> from(const at::Tensor &blocks, DType type);

    /// Rounds `values` [rows,columns], float32 on the CPU, finite, columns a multiple of 32, to Q8_0 or Q4_1.
    static QuantisedWeight rounded(const at::Tensor &values, DType type);

    std::int64_t rows() const { return m_blocks.size(0); }
    std::int64_t columns() const { return m_matrix.columns; }
    std::uint64_t bytes() const { return m_blocks.nbytes(); }
    const at::Tensor &blocks() const { return m_blocks; }
    const kernels::BlockMatrix &matrix() const { return m_matrix; }
    const Loss &loss() const { return m_loss; }

    /// The same in panels, in memory of its own, where this processor multiplies them; else this one.
    QuantisedWeight packed() const;

    /// Some rows of it, sharing its memory; not of one in panels.
    QuantisedWeight narrow(std::int64_t first, std::int64_t rows) const;

    /// [rows,columns], float32 or bfloat16.
    at::Tensor expanded(at::ScalarType type = at::kFloat) const;

    /// Rows by their indices (int64, any shape): [...,columns] float32.
    at::Tensor rowsAt(const at::Tensor &indices) const;

    /// x W^T, x [...,columns] float32.
    at::Tensor linear(const at::Tensor &x) const;

private:
    QuantisedWeight(at::Tensor blocks, kernels::BlockFormat format, std::int64_t panelRows = 0);

    at::Tensor m_blocks;
    kernels::BlockMatrix m_matrix;
    Loss m_loss;
};

using QuantisedWeights = std::map<std::string, QuantisedWeight>;

} // namespace lens
