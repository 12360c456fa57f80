#include "mixer/rope.h"

#include "kernels/rotation.h"
#include "mixer/autograd.h"
#include "tensor/kernelbridge.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Wavelengths well below the original context are kept, those well above are divided by the factor, those between
/// are blended (Llama 3.1).
at::Tensor llama3Scaled(const at::Tensor &inverse, const RopeConfig &config)
{
    const double context = static_cast<double>(config.originalContext);
    const at::Tensor wavelength = 2 * std::numbers::pi / inverse;
    const at::Tensor blend = (context / wavelength - config.lowFrequencyFactor)
                             / (config.highFrequencyFactor - config.lowFrequencyFactor);
    const at::Tensor blended = (1 - blend) * inverse / config.factor + blend * inverse;
    const at::Tensor divided = at::where(wavelength > context / config.lowFrequencyFactor, inverse / config.factor, inverse);
    const at::Tensor between = (wavelength <= context / config.lowFrequencyFactor)
                                   .logical_and(wavelength >= context / config.highFrequencyFactor);
    return at::where(between, blended, divided);
}

/// YaRN (arXiv 2309.00071): a linear ramp over dimensions between kept and divided frequencies.
at::Tensor yarnScaled(const at::Tensor &inverse, const RopeConfig &config)
{
    const double dims = static_cast<double>(config.dimensions);
    const auto correction = [&](double rotations) {
        return dims * std::log(static_cast<double>(config.originalContext) / (rotations * 2 * std::numbers::pi))
               / (2 * std::log(config.base));
    };
    const double fast = correction(config.betaFast), slow = correction(config.betaSlow);
    const double low = std::max(config.wholeDimensions ? std::floor(fast) : fast, 0.0);
    double high = std::min(config.wholeDimensions ? std::ceil(slow) : slow, dims - 1);
    if (high == low)
        high += 0.001;
    const at::Tensor ramp = ((at::arange(config.dimensions / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
    return inverse * (1 - ramp) + inverse / config.factor * ramp;
}

at::Tensor scaledFrequencies(const RopeConfig &config)
{
    const at::Tensor exponent = at::arange(0, config.dimensions, 2, at::kFloat) / static_cast<double>(config.dimensions);
    at::Tensor inverse = 1.0 / at::pow(config.base, exponent);
    if (!config.divisors.empty())
        inverse = inverse / at::tensor(config.divisors, at::kFloat);
    switch (config.scaling) {
    case RopeConfig::Scaling::None: return inverse;
    case RopeConfig::Scaling::Linear: return inverse / config.factor;
    case RopeConfig::Scaling::Llama3: return llama3Scaled(inverse, config);
    case RopeConfig::Scaling::Yarn: return yarnScaled(inverse, config);
    }
    return inverse;
}

/// In one pass. x [B,T,H,d] with any strides but the last; cosine and sine [T,1,d/2] float32.
at::Tensor rotatedByKernel(const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine, RopeConfig::Layout layout)
{
    const at::Tensor y = at::empty(x.sizes(), x.options());
    const std::int64_t tokens = x.size(1), pairs = cosine.size(-1), perToken = x.size(2) * x.size(3);
    withNumberType(x, [&](auto type) {
        using T = decltype(type);
        inParallel(x.size(0) * tokens, perToken, [&](std::int64_t begin, std::int64_t end) {
            while (begin < end) {
                const std::int64_t sequence = begin / tokens, token = begin % tokens, some = std::min(end - begin, tokens - token);
                const kernels::RotationShape shape{some, x.size(2), x.size(3), x.stride(1), x.stride(2), pairs,
                                                   layout == RopeConfig::Layout::Interleaved};
                kernels::rotate(shape, numbers<T>(x) + sequence * x.stride(0) + token * x.stride(1),
                                numbers<float>(cosine) + token * pairs, numbers<float>(sine) + token * pairs,
                                numbers<T>(y) + begin * perToken);
                begin += some;
            }
        });
    });
    return y;
}

/// The pairs of the leading `2 * cosine.size(-1)` dimensions turned by their angles: x [B,T,H,d].
at::Tensor rotated(const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine, RopeConfig::Layout layout)
{
    if (suitsKernels(x) && cosine.is_contiguous() && sine.is_contiguous())
        return rotatedByKernel(x, cosine, sine, layout);
    const std::int64_t pairs = cosine.size(-1), dimensions = 2 * pairs;
    const bool partial = dimensions < x.size(-1);
    const at::Tensor turned = widened(partial ? x.narrow(-1, 0, dimensions) : x);
    at::Tensor first, second;
    if (layout == RopeConfig::Layout::HalfSplit) {
        first = turned.narrow(-1, 0, pairs);
        second = turned.narrow(-1, pairs, pairs);
    } else {
        const at::Tensor paired = turned.unflatten(-1, {pairs, 2});
        first = paired.select(-1, 0);
        second = paired.select(-1, 1);
    }
    const at::Tensor newFirst = first * cosine - second * sine;
    const at::Tensor newSecond = second * cosine + first * sine;
    at::Tensor result = layout == RopeConfig::Layout::HalfSplit ? at::cat({newFirst, newSecond}, -1)
                                                                : at::stack({newFirst, newSecond}, -1).flatten(-2);
    result = result.to(x.scalar_type());
    return partial ? at::cat({result, x.narrow(-1, dimensions, x.size(-1) - dimensions)}, -1) : result;
}

/// The gradient of a rotation is the rotation back: nothing of x is kept.
class TrainedRotation : public torch::autograd::Function<TrainedRotation> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &cosine, const at::Tensor &sine,
                              std::int64_t layout)
    {
        context->save_for_backward({cosine, sine});
        context->saved_data["layout"] = layout;
        return rotated(x, cosine, sine, static_cast<RopeConfig::Layout>(layout));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const auto layout = static_cast<RopeConfig::Layout>(context->saved_data["layout"].toInt());
        return {rotated(gradients[0], saved[0], saved[1].neg(), layout), {}, {}, {}};
    }
};

} // namespace

Rope::Rope(const RopeConfig &config, const at::Device &device)
    : m_layout(config.layout), m_dimensions(config.dimensions)
{
    if (m_layout == RopeConfig::Layout::None)
        return;
    m_inverse = scaledFrequencies(config).to(device);
    if (config.scaling == RopeConfig::Scaling::Yarn)
        m_magnitude = config.attentionFactor > 0 ? config.attentionFactor : 0.1 * std::log(std::max(config.factor, 1.0)) + 1.0;
}

at::Tensor Rope::apply(const at::Tensor &x, std::int64_t position) const
{
    if (m_layout == RopeConfig::Layout::None)
        return x;
    const std::int64_t tokens = x.size(1);
    const at::Tensor positions = at::arange(position, position + tokens, m_inverse.options());
    const at::Tensor angles = at::outer(positions, m_inverse).unsqueeze(1);  // [T,1,d/2]
    const at::Tensor cosine = angles.cos() * m_magnitude;
    const at::Tensor sine = angles.sin() * m_magnitude;
    if (isRecorded({x}))
        return TrainedRotation::apply(x, cosine, sine, static_cast<std::int64_t>(m_layout));
    return rotated(x, cosine, sine, m_layout);
}

} // namespace lens
