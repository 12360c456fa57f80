#include "uptrain/optimiser.h"

#include <c10/core/GradMode.h>

namespace lens {

namespace {

bool decays(const std::string &name, const at::Tensor &parameter)
{
    return parameter.dim() >= 2 && name != "embedding.weight" && !name.ends_with(".bias");
}

std::vector<at::Tensor> gradientsOf(const std::vector<at::Tensor> &parameters)
{
    std::vector<at::Tensor> gradients;
    for (const at::Tensor &parameter : parameters)
        gradients.push_back(parameter.grad());
    return gradients;
}

} // namespace

Optimiser::Optimiser(const NamedTensors &parameters, const OptimiserOptions &options) : m_options(options)
{
    m_groups[1].weightDecay = options.weightDecay;
    for (const auto &[name, parameter] : parameters) {
        Group &group = m_groups[decays(name, parameter) ? 1 : 0];
        group.names.push_back(name);
        group.parameters.push_back(parameter);
        group.first.push_back(at::zeros_like(parameter));
        group.second.push_back(at::zeros_like(parameter));
        group.steps.push_back(at::zeros({}, parameter.options().requires_grad(false)));
    }
}

void Optimiser::step(double learningRate, const NamedTensors &gradients)
{
    const c10::NoGradGuard noGrad;
    for (Group &group : m_groups) {
        if (group.parameters.empty())
            continue;
        std::vector<at::Tensor> own;
        for (const std::string &name : group.names)
            own.push_back(gradients.at(name));
        at::_foreach_add_(group.steps, 1);
        at::_fused_adamw_(group.parameters, own, group.first, group.second, {}, group.steps,
                          learningRate, m_options.beta1, m_options.beta2, group.weightDecay, m_options.epsilon, false, false);
    }
}

NamedTensors Optimiser::state() const
{
    NamedTensors state;
    for (const Group &group : m_groups)
        for (std::size_t i = 0; i < group.names.size(); ++i) {
            state[group.names[i] + "/first"] = group.first[i];
            state[group.names[i] + "/second"] = group.second[i];
            state[group.names[i] + "/steps"] = group.steps[i];
        }
    return state;
}

Result<void> Optimiser::assign(const NamedTensors &state, const std::string &where)
{
    const c10::NoGradGuard noGrad;
    for (const auto &[name, own] : this->state()) {
        const auto found = state.find(name);
        if (found == state.end() || found->second.sizes() != own.sizes())
            return fail(ErrorCode::Mismatch, "the checkpoint belongs to another model or recipe", where + ", " + name);
        own.copy_(found->second);
    }
    return {};
}

double gradientNorm(const std::vector<at::Tensor> &parameters)
{
    const c10::NoGradGuard noGrad;
    return at::stack(at::_foreach_norm(gradientsOf(parameters), 2)).to(at::kDouble).norm().item<double>();
}

void clipGradients(const std::vector<at::Tensor> &parameters, double norm, double clip)
{
    const c10::NoGradGuard noGrad;
    if (clip > 0 && norm > clip)
        at::_foreach_mul_(gradientsOf(parameters), clip / norm);
}

} // namespace lens
