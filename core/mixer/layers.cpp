#include "mixer/layers.h"

#include "mixer/autograd.h"

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor inverseRoot(const at::Tensor &wide, double epsilon)
{
    return at::rsqrt(wide.square().mean(-1, true) + epsilon);
}

/// x / sqrt(mean x^2 + eps) * weight. Keeps x alone, which the residual sum holds anyway.
class TrainedRmsNorm : public torch::autograd::Function<TrainedRmsNorm> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const std::optional<at::Tensor> &weight,
                              double epsilon)
    {
        context->save_for_backward({x, weight.value_or(at::Tensor())});
        context->saved_data["epsilon"] = epsilon;
        const at::Tensor wide = widened(x);
        const at::Tensor normed = (wide * inverseRoot(wide, epsilon)).to(x.scalar_type());
        return weight ? normed * *weight : normed;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor wide = widened(x);
        const at::Tensor inverse = inverseRoot(wide, context->saved_data["epsilon"].toDouble());
        const at::Tensor normed = wide * inverse;
        at::Tensor gradient = widened(gradients[0]);
        at::Tensor dWeight;
        if (weight.defined()) {
            if (context->needs_input_grad(1))
                dWeight = (gradient * normed).flatten(0, -2).sum(0).to(weight.scalar_type());
            gradient = gradient * weight;
        }
        const at::Tensor along = (gradient * normed).mean(-1, true);
        return {at::addcmul(gradient, normed, along, -1).mul_(inverse).to(x.scalar_type()), dWeight, {}};
    }
};

} // namespace

at::Tensor Projection::operator()(const at::Tensor &x) const
{
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

at::Tensor Norm::operator()(const at::Tensor &x) const
{
    if (config.kind == NormConfig::Kind::Rms && isRecorded({x, weight})) {
        const at::Tensor normed = TrainedRmsNorm::apply(
            x, weight.defined() ? std::optional(weight) : std::nullopt, config.epsilon);
        return bias.defined() ? normed + bias : normed;
    }
    const at::Tensor wide = x.to(at::kFloat);
    at::Tensor normed;
    if (config.kind == NormConfig::Kind::Rms) {
        normed = wide * inverseRoot(wide, config.epsilon);
    } else {
        const at::Tensor centred = wide - wide.mean(-1, true);
        normed = centred * inverseRoot(centred, config.epsilon);
    }
    normed = normed.to(x.scalar_type());
    if (weight.defined())
        normed = normed * weight;
    return bias.defined() ? normed + bias : normed;
}

at::Tensor headNorm(const at::Tensor &o, double epsilon)
{
    if (isRecorded({o}))  // the fused kernel has a fused backward pass
        return std::get<0>(at::native_layer_norm(o, {o.size(-1)}, {}, {}, epsilon));
    const at::Tensor centred = o - o.mean(-1, true);
    return centred * inverseRoot(centred, epsilon);
}

} // namespace lens
