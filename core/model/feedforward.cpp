#include "model/feedforward.h"

#include "kernels/swiglu.h"
#include "mixer/autograd.h"
#include "tensor/kernelbridge.h"

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool suitKernels(const at::Tensor &gate, const at::Tensor &up)
{
    return suitsKernels(gate) && gate.is_contiguous() && up.is_contiguous() && up.scalar_type() == gate.scalar_type();
}

at::Tensor gated(const at::Tensor &gate, const at::Tensor &up)
{
    if (!suitKernels(gate, up))
        return at::silu(gate).mul_(up);
    const at::Tensor y = at::empty_like(gate);
    withNumberType(gate, [&](auto type) {
        using T = decltype(type);
        inParallel(gate.numel(), 1, [&](std::int64_t begin, std::int64_t end) {
            kernels::swiGlu(end - begin, numbers<T>(gate) + begin, numbers<T>(up) + begin, numbers<T>(y) + begin);
        });
    });
    return y;
}

variable_list gatedGradients(const at::Tensor &gate, const at::Tensor &up, const at::Tensor &gradient)
{
    if (!suitKernels(gate, up))
        return {at::silu_backward(gradient * up, gate), at::silu(gate).mul_(gradient)};
    const at::Tensor dY = gradient.contiguous(), dGate = at::empty_like(gate), dUp = at::empty_like(up);
    withNumberType(gate, [&](auto type) {
        using T = decltype(type);
        inParallel(gate.numel(), 1, [&](std::int64_t begin, std::int64_t end) {
            kernels::swiGluBackward(end - begin, numbers<T>(gate) + begin, numbers<T>(up) + begin, numbers<T>(dY) + begin,
                                    numbers<T>(dGate) + begin, numbers<T>(dUp) + begin);
        });
    });
    return {dGate, dUp};
}

/// silu(gate) * up. Keeps its two inputs and no product.
class TrainedSwiGlu : public torch::autograd::Function<TrainedSwiGlu> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &gate, const at::Tensor &up)
    {
        context->save_for_backward({gate, up});
        return gated(gate, up);
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        return gatedGradients(saved[0], saved[1], gradients[0]);
    }
};

at::Tensor swiGlu(const at::Tensor &gate, const at::Tensor &up)
{
    return isRecorded({gate, up}) ? at::Tensor(TrainedSwiGlu::apply(gate, up)) : gated(gate, up);
}

} // namespace

at::Tensor FeedForward::operator()(const at::Tensor &x) const
{
    switch (kind) {
    case FeedForwardConfig::Kind::SwiGlu: return down(swiGlu(gate(x), up(x)));
    case FeedForwardConfig::Kind::GeGlu: return down(at::gelu(gate(x)) * up(x));
    case FeedForwardConfig::Kind::Gelu: return down(at::gelu(up(x)));
    }
    return x;
}

} // namespace lens
