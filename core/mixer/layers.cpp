#include "mixer/layers.h"

namespace lens {

at::Tensor Projection::operator()(const at::Tensor &x) const
{
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

at::Tensor Norm::operator()(const at::Tensor &x) const
{
    const at::Tensor wide = x.to(at::kFloat);
    at::Tensor normed;
    if (config.kind == NormConfig::Kind::Rms) {
        normed = wide * at::rsqrt(wide.square().mean(-1, true) + config.epsilon);
    } else {
        const at::Tensor centred = wide - wide.mean(-1, true);
        normed = centred * at::rsqrt(centred.square().mean(-1, true) + config.epsilon);
    }
    normed = normed.to(x.scalar_type());
    if (weight.defined())
        normed = normed * weight;
    return bias.defined() ? normed + bias : normed;
}

at::Tensor headNorm(const at::Tensor &o, double epsilon)
{
    const at::Tensor centred = o - o.mean(-1, true);
    return centred * at::rsqrt(centred.square().mean(-1, true) + epsilon);
}

} // namespace lens
