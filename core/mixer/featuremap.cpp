#include "mixer/featuremap.h"

#include "mixer/autograd.h"

namespace lens {

namespace {

/// [B,T,H,d] x [H,d,f] -> [B,T,H,f].
at::Tensor perHead(const at::Tensor &x, const at::Tensor &weight)
{
    return at::einsum("bthd,hdf->bthf", {x, weight});
}

/// max(x, 0): the first form has the faster backward pass, the second a meta form.
at::Tensor rectified(const at::Tensor &x)
{
    return isRecorded({x}) ? at::relu(x) : x.clamp_min(0);
}

} // namespace

FeatureMap::FeatureMap(FeatureMapForm form, double floor, at::Tensor weight, at::Tensor bias)
    : m_form(form), m_floor(floor), m_weight(std::move(weight)), m_bias(std::move(bias))
{
}

at::Tensor FeatureMap::apply(const at::Tensor &x) const
{
    at::Tensor features = x;
    switch (m_form) {
    case FeatureMapForm::None:
        return x;
    case FeatureMapForm::SharedRelu:
        features = rectified(at::linear(x.flatten(2), m_weight, m_bias)).unflatten(2, {x.size(2), -1});
        break;
    case FeatureMapForm::PerHeadRelu:
        features = rectified(perHead(x, m_weight) + m_bias);
        break;
    case FeatureMapForm::Elu1:
        features = at::elu(x) + 1;
        break;
    case FeatureMapForm::Hedgehog: {
        const at::Tensor projected = perHead(x, m_weight);
        features = at::cat({projected.softmax(-1), projected.neg().softmax(-1)}, -1);
        break;
    }
    }
    return m_floor > 0 ? features.clamp_min(m_floor) : features;
}

} // namespace lens
