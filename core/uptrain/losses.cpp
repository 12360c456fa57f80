#include "uptrain/losses.h"

#include "kernels/vocabularyloss.h"
#include "mixer/autograd.h"
#include "tensor/kernelbridge.h"

#include <algorithm>

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// So that a block's logits take some tens of megabytes, and its products are still large ones.
std::int64_t rowsPerBlock(std::int64_t vocabulary)
{
    return std::clamp<std::int64_t>((std::int64_t(1) << 23) / vocabulary, 64, 1024);
}

struct Original {
    at::Tensor hidden, weight;  ///< undefined: there is none, and the loss is cross-entropy
};

/// What one block of tokens adds to the loss, and the derivative by its logits.
struct BlockLoss {
    at::Tensor sum;      // scalar, to be divided by the number of tokens that count
    at::Tensor dLogits;  // [n,V] in their type, divided already; undefined when not wanted
};

class VocabularyLoss {
public:
    VocabularyLoss(const at::Tensor &targets, const DistillationMix &mix, bool wantGradient)
        : m_mix(mix), m_wantGradient(wantGradient), m_targets(targets.clamp_min(0).unsqueeze(1)),
          m_counts((targets >= 0).unsqueeze(1)),
          m_scale(1.0 / static_cast<double>(std::max<std::int64_t>(1, m_counts.sum().item<std::int64_t>())))
    {
    }

    double scale() const { return m_scale; }  ///< one over the number of tokens that count

    /// logits and original [n,V] of the tokens from `first` on; original may be undefined.
    BlockLoss block(std::int64_t first, const at::Tensor &logits, const at::Tensor &original) const
    {
        const bool hasOneTemperature = !original.defined() || m_mix.temperature == 1;
        return hasOneTemperature && suitsKernels(logits) && logits.is_contiguous()
                       && (!original.defined() || (original.is_contiguous() && original.scalar_type() == logits.scalar_type()))
                   ? blockByKernel(first, logits, original)
                   : plainBlock(first, logits, original);
    }

private:
    BlockLoss blockByKernel(std::int64_t first, const at::Tensor &logits, const at::Tensor &original) const
    {
        const std::int64_t n = logits.size(0), vocabulary = logits.size(1);
        const at::Tensor sums = at::zeros({n}, at::kDouble);
        const at::Tensor targets = m_targets.narrow(0, first, n), counts = m_counts.narrow(0, first, n);
        BlockLoss result{{}, m_wantGradient ? at::empty_like(logits) : at::Tensor()};
        withNumberType(logits, [&](auto type) {
            using T = decltype(type);
            inParallel(n, vocabulary, [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i) {
                    T *gradient = m_wantGradient ? numbers<T>(result.dLogits) + i * vocabulary : nullptr;
                    if (numbers<bool>(counts)[i])
                        numbers<double>(sums)[i] = kernels::vocabularyLoss(
                            vocabulary, numbers<T>(logits) + i * vocabulary,
                            original.defined() ? numbers<T>(original) + i * vocabulary : nullptr, numbers<std::int64_t>(targets)[i],
                            static_cast<float>(m_mix.share), static_cast<float>(m_scale), gradient);
                    else if (gradient)
                        std::fill(gradient, gradient + vocabulary, T());
                }
            });
        });
        result.sum = sums.sum();
        return result;
    }

    BlockLoss plainBlock(std::int64_t first, const at::Tensor &rounded, const at::Tensor &roundedOriginal) const
    {
        const at::Tensor logits = widened(rounded);
        const at::Tensor original = roundedOriginal.defined() ? widened(roundedOriginal) : at::Tensor();
        const std::int64_t n = logits.size(0);
        const at::Tensor counts = m_counts.narrow(0, first, n).to(logits.scalar_type());
        const at::Tensor targets = m_targets.narrow(0, first, n);
        BlockLoss result{at::zeros({}, logits.options()), {}};
        if (!original.defined() || m_mix.share < 1)
            addCrossEntropy(result, logits, targets, counts, original.defined() ? 1 - m_mix.share : 1);
        if (original.defined() && m_mix.share > 0)
            addDivergence(result, logits, original, counts);
        if (result.dLogits.defined())
            result.dLogits = result.dLogits.mul_(counts).mul_(m_scale).to(rounded.scalar_type());
        return result;
    }

    void addCrossEntropy(BlockLoss &result, const at::Tensor &logits, const at::Tensor &targets, const at::Tensor &counts,
                         double share) const
    {
        at::Tensor logs = at::log_softmax(logits, -1);
        result.sum.sub_((logs.gather(1, targets) * counts).sum() * share);
        if (!m_wantGradient)
            return;
        logs.exp_().scatter_add_(1, targets, at::full_like(counts, -1));
        result.dLogits = share == 1 ? logs : logs.mul_(share);
    }

    void addDivergence(BlockLoss &result, const at::Tensor &logits, const at::Tensor &original, const at::Tensor &counts) const
    {
        const double T = m_mix.temperature;
        at::Tensor own = at::log_softmax(T == 1 ? logits : logits / T, -1);
        at::Tensor wanted = at::log_softmax(T == 1 ? original : original / T, -1);
        const at::Tensor probability = wanted.exp();
        result.sum.add_((wanted.sub_(own).mul_(probability) * counts).sum() * (m_mix.share * T * T));
        if (!m_wantGradient)
            return;
        own.exp_().sub_(probability).mul_(m_mix.share * T);
        result.dLogits = result.dLogits.defined() ? result.dLogits.add_(own) : own;
    }

    DistillationMix m_mix;
    bool m_wantGradient;
    at::Tensor m_targets, m_counts;  // [N,1]
    double m_scale;
};

struct LossAndGradients {
    at::Tensor loss, dHidden, dWeight;
};

/// Adds dLogits^T hidden; sums over blocks are float32 whatever the products are in.
void addWeightGradient(at::Tensor &sum, const at::Tensor &dLogits, const at::Tensor &hidden)
{
    if (hidden.scalar_type() == sum.scalar_type())
        sum.addmm_(dLogits.t(), hidden);
    else
        sum.add_(at::mm(dLogits.t(), hidden));
}

LossAndGradients evaluate(const at::Tensor &hidden, const at::Tensor &weight, const at::Tensor &targets,
                          const Original &original, const DistillationMix &mix, bool wantHidden, bool wantWeight)
{
    const at::ScalarType wide = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const std::int64_t tokens = hidden.size(0), rows = rowsPerBlock(weight.size(0));
    LossAndGradients result{at::zeros({}, hidden.options().dtype(wide)), {}, {}};
    if (wantHidden)
        result.dHidden = at::empty_like(hidden);
    if (wantWeight)
        result.dWeight = at::zeros(weight.sizes(), weight.options().dtype(wide));
    const VocabularyLoss loss(targets, mix, wantHidden || wantWeight);
    for (std::int64_t first = 0; first < tokens; first += rows) {
        const std::int64_t n = std::min(rows, tokens - first);
        const at::Tensor some = hidden.narrow(0, first, n);
        at::Tensor originalLogits;
        if (original.hidden.defined())
            originalLogits = at::linear(original.hidden.narrow(0, first, n), original.weight);
        const BlockLoss block = loss.block(first, at::linear(some, weight), originalLogits);
        result.loss.add_(block.sum);
        if (!block.dLogits.defined())
            continue;
        if (wantHidden)
            result.dHidden.narrow(0, first, n).copy_(at::mm(block.dLogits, weight));
        if (wantWeight)
            addWeightGradient(result.dWeight, block.dLogits, some);
    }
    result.loss.mul_(loss.scale());
    return result;
}

class TrainedLoss : public torch::autograd::Function<TrainedLoss> {
public:
    static at::Tensor forward(AutogradContext *context, const at::Tensor &hidden, const at::Tensor &weight,
                              const at::Tensor &targets, const Original &original, const DistillationMix &mix)
    {
        const LossAndGradients made = evaluate(hidden, weight, targets, original, mix, hidden.requires_grad(),
                                               weight.requires_grad());
        context->save_for_backward({made.dHidden, made.dWeight});
        context->saved_data["weightType"] = static_cast<std::int64_t>(weight.scalar_type());
        return made.loss;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients)
    {
        const variable_list saved = context->get_saved_variables();
        const auto weightType = static_cast<at::ScalarType>(context->saved_data["weightType"].toInt());
        at::Tensor dHidden, dWeight;
        if (saved[0].defined())
            dHidden = saved[0] * gradients[0].to(saved[0].scalar_type());
        if (saved[1].defined())
            dWeight = (saved[1] * gradients[0]).to(weightType);
        return {dHidden, dWeight, {}, {}, {}};
    }
};

at::Tensor lossOf(const at::Tensor &hidden, const at::Tensor &weight, const at::Tensor &targets, const Original &original,
                  const DistillationMix &mix)
{
    if (isRecorded({hidden, weight}))
        return TrainedLoss::apply(hidden, weight, targets, original, mix);
    return evaluate(hidden, weight, targets, original, mix, false, false).loss;
}

} // namespace

at::Tensor crossEntropy(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &targets)
{
    return lossOf(hidden, outputWeight, targets, {}, {});
}

at::Tensor distillation(const at::Tensor &hidden, const at::Tensor &outputWeight, const at::Tensor &originalHidden,
                        const at::Tensor &originalOutputWeight, const at::Tensor &targets, const DistillationMix &mix)
{
    return lossOf(hidden, outputWeight, targets, {originalHidden, originalOutputWeight}, mix);
}

} // namespace lens
