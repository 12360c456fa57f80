#include "model/feedforward.h"

#include "mixer/autograd.h"

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// silu(gate) * up. Keeps its two inputs and no product.
class TrainedSwiGlu : public torch::autograd::Function<TrainedSwiGlu> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &gate, const at::Tensor &up)
    {
        context->save_for_backward({gate, up});
        return at::silu(gate).mul_(up);
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &gate = saved[0], &up = saved[1], &gradient = gradients[0];
        return {at::silu_backward(gradient * up, gate), at::silu(gate).mul_(gradient)};
    }
};

at::Tensor swiGlu(const at::Tensor &gate, const at::Tensor &up)
{
    return isRecorded({gate, up}) ? at::Tensor(TrainedSwiGlu::apply(gate, up)) : at::silu(gate) * up;
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
