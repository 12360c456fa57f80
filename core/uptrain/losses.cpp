#include "uptrain/losses.h"

#include <c10/core/GradMode.h>

namespace lens {

at::Tensor crossEntropy(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &targets)
{
    return at::cross_entropy_loss(at::linear(hidden, outputWeight).to(at::kFloat), targets);
}

std::pair<at::Tensor, at::Tensor> distillation(const at::Tensor &hidden, const at::Tensor &outputWeight,
                                               const at::Tensor &originalHidden, const at::Tensor &originalOutputWeight,
                                               const at::Tensor &targets, double temperature)
{
    const at::Tensor logits = at::linear(hidden, outputWeight).to(at::kFloat);
    at::Tensor original;
    {
        const c10::NoGradGuard noGrad;
        original = at::log_softmax(at::linear(originalHidden, originalOutputWeight).to(at::kFloat) / temperature, -1);
    }
    const at::Tensor own = at::log_softmax(logits / temperature, -1);
    const at::Tensor kl = (original.exp() * (original - own)).sum(-1).mean() * (temperature * temperature);
    return {kl, at::cross_entropy_loss(logits, targets)};
}

} // namespace lens
