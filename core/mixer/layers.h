// Small immutable building blocks of every model: projections and norms.
#pragma once

#include "tensor/quantisedweight.h"

#include <ATen/ATen.h>

namespace lens {

/// y = x W^T + b, W [out,in]; b may be undefined. While a low-rank change is trained, x A^T B^T is added to it, A [r,in] and
/// B [out,r]; merged into W, it would ask for a gradient as large as W.
struct Projection {
    at::Tensor weight;
    at::Tensor bias;
    at::Tensor lowRankA{}, lowRankB{};
    std::optional<QuantisedWeight> blocks{};  ///< W, where `weight` is undefined: for float32 x

    at::Tensor operator()(const at::Tensor &x) const;
};

struct NormConfig {
    enum class Kind { Rms, Layer };

    Kind kind = Kind::Rms;
    double epsilon = 1e-5;
    bool hasWeight = true;
    bool hasBias = false;

    bool operator==(const NormConfig &) const = default;
};

/// Over the last dimension. Statistics are float32; the result has the dtype of x.
struct Norm {
    NormConfig config;
    at::Tensor weight;
    at::Tensor bias;

    at::Tensor operator()(const at::Tensor &x) const;
};

/// One group per head, without learned parameters, one token at a time: o [B,T,H,dv] float32.
at::Tensor headNorm(const at::Tensor &o, double epsilon);

} // namespace lens
