#include "model/recomputation.h"

#include "mixer/autograd.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/custom_class.h>

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Kept : torch::CustomClassHolder {
    explicit Kept(Recomputable f) : f(std::move(f)) {}

    Recomputable f;
};

class Recomputation : public torch::autograd::Function<Recomputation> {
public:
    /// `always` requires a gradient: f may use leaves where x needs none.
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &, const Recomputable &f)
    {
        context->save_for_backward({x});
        context->saved_data["f"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(f));
        return f(x, false);
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const auto kept = context->saved_data["f"].toCapsule();
        at::Tensor x = context->get_saved_variables()[0].detach();
        x.set_requires_grad(context->needs_input_grad(0));
        const c10::AutoGradMode withGradients(true);
        const at::Tensor y = static_cast<const Kept &>(*kept).f(x, true);
        if (y.requires_grad())
            torch::autograd::backward({y}, {gradients[0]});
        return {x.grad(), {}, {}};
    }
};

} // namespace

at::Tensor recomputed(const Recomputable &f, const at::Tensor &x)
{
    const at::Tensor always = at::empty({0}, x.options()).set_requires_grad(true);
    return Recomputation::apply(x, always, f);
}

} // namespace lens
