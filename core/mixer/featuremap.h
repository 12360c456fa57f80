// phi: what replaces the exponential of softmax attention by a product of features.
#pragma once

#include "mixer/mixerconfig.h"

#include <ATen/ATen.h>

namespace lens {

/// Immutable. Weights: SharedRelu W [H*f, H*d], b [H*f]; PerHeadRelu W [H,d,f], b [H,f]; Hedgehog W [H,d,f/2].
class FeatureMap {
public:
    FeatureMap(FeatureMapForm form, double floor, at::Tensor weight, at::Tensor bias);

    /// x [B,T,H,d] -> [B,T,H,f], dtype of x.
    at::Tensor apply(const at::Tensor &x) const;

private:
    FeatureMapForm m_form;
    double m_floor;
    at::Tensor m_weight;
    at::Tensor m_bias;
};

} // namespace lens
