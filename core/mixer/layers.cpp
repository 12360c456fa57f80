#include "mixer/layers.h"

#include "kernels/rmsnorm.h"
#include "mixer/autograd.h"
#include "tensor/kernelbridge.h"

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor inverseRoot(const at::Tensor &wide, double epsilon)
{
    return at::rsqrt(wide.square().mean(-1, true) + epsilon);
}

bool suitsRmsKernel(const at::Tensor &x, const at::Tensor &weight)
{
    return suitsKernels(x) &&
           (!weight.defined() || (weight.scalar_type() == x.scalar_type() && weight.is_contiguous()));
}

at::Tensor rmsNorm(const at::Tensor &x, const at::Tensor &weight, double epsilon)
{
    if (!suitsRmsKernel(x, weight)) {
        const at::Tensor wide = widened(x);
        const at::Tensor normed = (wide * inverseRoot(wide, epsilon)).to(x.scalar_type());
        return weight.defined() ? normed * weight : normed;
    }
    const at::Tensor from = x.contiguous(), y = at::empty_like(from);
    const std::int64_t width = x.size(-1);
    withNumberType(x, [&](auto type) {
        using T = decltype(type);
        inParallel(x.numel() / std::max<std::int64_t>(1, width), width, [&](std::int64_t begin, std::int64_t end) {
            kernels::rmsNorm(end - begin, width, numbers<T>(from) + begin * width, numbers<T>(weight),
                             static_cast<float>(epsilon), numbers<T>(y) + begin * width);
        });
    });
    return y;
}

struct RmsGradients {
    at::Tensor x, weight;
};

RmsGradients rmsGradientsByKernel(const at::Tensor &x, const at::Tensor &weight, double epsilon,
                                  const at::Tensor &gradient, bool wantWeight)
{
    const at::Tensor from = x.contiguous(), dY = gradient.contiguous();
    RmsGradients result{at::empty_like(from), {}};
    const std::int64_t width = x.size(-1), rows = x.numel() / std::max<std::int64_t>(1, width);
    // The same parts whatever the threads, so that sums of them are the same to the last bit.
    const std::int64_t parts = std::min<std::int64_t>(rows, 16);
    const at::Tensor dWeight = wantWeight ? at::zeros({parts, width}, at::kFloat) : at::Tensor();
    withNumberType(x, [&](auto type) {
        using T = decltype(type);
        inParallel(parts, rows / std::max<std::int64_t>(1, parts) * width, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t part = begin; part < end; ++part) {
                const std::int64_t first = part * rows / parts, last = (part + 1) * rows / parts, at = first * width;
                kernels::rmsNormBackward(last - first, width, numbers<T>(from) + at, numbers<T>(weight),
                                         static_cast<float>(epsilon), numbers<T>(dY) + at, numbers<T>(result.x) + at,
                                         wantWeight ? numbers<float>(dWeight) + part * width : nullptr);
            }
        });
    });
    if (wantWeight)
        result.weight = dWeight.sum(0).to(weight.scalar_type());
    return result;
}

/// x W^T + (x A^T) B^T: the change is added in the product, and its gradients need no tensor as large as W.
class TrainedLowRank : public torch::autograd::Function<TrainedLowRank> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                              const at::Tensor &a, const at::Tensor &b)
    {
        const at::Tensor rows = x.flatten(0, -2), low = at::mm(rows, a.t());
        context->save_for_backward({x, weight, a, b, low});
        return at::mm(rows, weight.t()).addmm_(low, b.t()).view(outputSizes(x, weight));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1], &a = saved[2], &b = saved[3], &low = saved[4];
        const at::Tensor gradient = gradients[0].flatten(0, -2).contiguous();
        const at::Tensor dLow = at::mm(gradient, b);
        at::Tensor dX, dA, dB;
        if (context->needs_input_grad(0))
            dX = at::mm(gradient, weight).addmm_(dLow, a).view(x.sizes());
        if (context->needs_input_grad(2))
            dA = at::mm(dLow.t(), x.flatten(0, -2));
        if (context->needs_input_grad(3))
            dB = at::mm(gradient.t(), low);
        return {dX, {}, dA, dB};
    }

private:
    static std::vector<std::int64_t> outputSizes(const at::Tensor &x, const at::Tensor &weight)
    {
        std::vector<std::int64_t> sizes = x.sizes().vec();
        sizes.back() = weight.size(0);
        return sizes;
    }
};

/// x / sqrt(mean x^2 + eps) * weight. Keeps x alone, which the residual sum holds anyway.
class TrainedRmsNorm : public torch::autograd::Function<TrainedRmsNorm> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const std::optional<at::Tensor> &weight,
                              double epsilon)
    {
        context->save_for_backward({x, weight.value_or(at::Tensor())});
        context->saved_data["epsilon"] = epsilon;
        return rmsNorm(x, weight.value_or(at::Tensor()), epsilon);
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const double epsilon = context->saved_data["epsilon"].toDouble();
        const bool wantWeight = weight.defined() && context->needs_input_grad(1);
        if (suitsRmsKernel(x, weight)) {
            const RmsGradients found = rmsGradientsByKernel(x, weight, epsilon, gradients[0], wantWeight);
            return {found.x, found.weight, {}};
        }
        const at::Tensor wide = widened(x);
        const at::Tensor inverse = inverseRoot(wide, epsilon);
        const at::Tensor normed = wide * inverse;
        at::Tensor gradient = widened(gradients[0]);
        at::Tensor dWeight;
        if (weight.defined()) {
            if (wantWeight)
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
    if (!blocks && !lowRankA.defined())
        return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
    at::Tensor y;
    if (!blocks && isRecorded({x, lowRankA, lowRankB})) {
        y = TrainedLowRank::apply(x, weight, lowRankA, lowRankB);
    } else {
        y = blocks ? blocks->linear(x) : at::linear(x, weight);
        if (lowRankA.defined())
            y = y + at::linear(at::linear(x, lowRankA), lowRankB);
    }
    return bias.defined() ? y + bias : y;
}

at::Tensor Norm::operator()(const at::Tensor &x) const
{
    if (config.kind == NormConfig::Kind::Rms && isRecorded({x, weight})) {
        const at::Tensor normed = TrainedRmsNorm::apply(
            x, weight.defined() ? std::optional(weight) : std::nullopt, config.epsilon);
        return bias.defined() ? normed + bias : normed;
    }
    at::Tensor normed;
    if (config.kind == NormConfig::Kind::Rms) {
        normed = rmsNorm(x, weight, config.epsilon);
    } else {
        const at::Tensor wide = x.to(at::kFloat);
        const at::Tensor centred = wide - wide.mean(-1, true);
        normed = (centred * inverseRoot(centred, config.epsilon)).to(x.scalar_type());
        if (weight.defined())
            normed = normed * weight;
    }
    return bias.defined() ? normed + bias : normed;
}

at::Tensor headNorm(const at::Tensor &o, double epsilon)
{
    if (!o.is_meta())  // the fused kernel has no meta form in a LibTorch without Python
        return std::get<0>(at::native_layer_norm(o, {o.size(-1)}, {}, {}, epsilon));
    const at::Tensor centred = o - o.mean(-1, true);
    return centred * inverseRoot(centred, epsilon);
}

} // namespace lens
