#include "mixer/linearmixer.h"

#include "mixer/autograd.h"
#include "mixer/linearautograd.h"
#include "mixer/linearforms.h"
#include "mixer/recurrentstate.h"
#include "mixer/reference/plainforms.h"

#include <cmath>

namespace lens {

namespace {

at::Tensor logGammaOf(const MixerConfig &config, const at::Device &device)
{
    return at::tensor(config.slopes, at::kDouble).neg().to(at::kFloat).to(device);
}

} // namespace

LinearMixer::LinearMixer(const MixerConfig &config, ProjectionSet projections, FeatureMap queryMap, FeatureMap keyMap,
                         at::Tensor logDecay)
    : m_config(config), m_projections(std::move(projections)), m_queryMap(std::move(queryMap)), m_keyMap(std::move(keyMap)),
      m_rope(config.rope, m_projections.options.device()),
      m_logGamma(logDecay.defined() ? std::move(logDecay) : logGammaOf(config, m_projections.options.device())),
      m_keyScale(1.0 / std::sqrt(static_cast<double>(config.keyDim)))
{
}

std::unique_ptr<SequenceState> LinearMixer::initialState(std::int64_t batch) const
{
    return std::make_unique<RecurrentState>(batch, m_config.heads, m_config.keyDim, m_config.valueDim,
                                            m_config.normalises(), m_projections.options.device());
}

std::pair<at::Tensor, at::Tensor> LinearMixer::features(const at::Tensor &x, const MixerCall &call) const
{
    at::Tensor q = m_projections.q(x).unflatten(2, {m_config.heads, m_config.inputDim});
    at::Tensor k = m_projections.k(x).unflatten(2, {m_config.kvHeads, m_config.inputDim});
    const bool rotateFirst = m_config.normalises();  // RoPE after phi would make the normaliser change sign
    if (rotateFirst) {
        q = m_rope.apply(q, call.position);
        k = m_rope.apply(k, call.position);
    }
    q = m_queryMap.apply(q);
    k = m_keyMap.apply(k);
    if (wanted(call.probe, ProbeKind::ZeroFeatures, call.layer))
        call.probe->offer(ProbeKind::ZeroFeatures, call.layer,
                          repeatHeads((k == 0).to(at::kFloat), m_config.heads).mean({0, 1, 3}));
    const bool rotateFewer = !rotateFirst && !m_config.queryKeyNorm;  // heads that are repeated need to be turned but once
    if (rotateFewer)
        k = m_rope.apply(k, call.position);
    k = repeatHeads(k, m_config.heads);
    if (m_config.queryKeyNorm) {
        q = normAcrossHeads(m_projections.qNorm, q);
        k = normAcrossHeads(m_projections.kNorm, k);
    }
    if (!rotateFirst)
        q = m_rope.apply(q, call.position);
    if (!rotateFirst && !rotateFewer)
        k = m_rope.apply(k, call.position);
    return {q.transpose(1, 2), k.transpose(1, 2)};
}

at::Tensor LinearMixer::forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const
{
    at::Tensor &S = static_cast<RecurrentState &>(state).matrix();
    auto [q, k] = features(x, call);
    at::Tensor v = repeatHeads(m_projections.v(x).unflatten(2, {m_config.kvHeads, m_config.valueDim}), m_config.heads)
                       .transpose(1, 2);
    if (!isTrained(q, k, v, call.execution)) {
        q = q.to(at::kFloat);
        k = k.to(at::kFloat);
        v = v.to(at::kFloat);
    }
    k = k * m_keyScale;
    const at::Tensor entering = S;
    at::Tensor o;
    if (m_config.normalises()) {
        const at::Tensor ones = at::ones({v.size(0), v.size(1), v.size(2), 1}, v.options());
        const at::Tensor sums = run(q, k, at::cat({v, ones}, 3), S, call.execution);
        o = sums.narrow(3, 0, m_config.valueDim) / (sums.narrow(3, m_config.valueDim, 1) + m_config.epsilon);
        o = o.transpose(1, 2);
    } else {
        o = headNorm(run(q, k, v, S, call.execution).transpose(1, 2), m_config.epsilon);
    }
    probe(q, k, v, entering, S, call);
    at::Tensor mixed = o.flatten(2).to(x.scalar_type());
    if (m_projections.scale.defined())
        mixed = mixed * m_projections.scale;
    if (wanted(call.probe, ProbeKind::MixerOut, call.layer))
        call.probe->offer(ProbeKind::MixerOut, call.layer, mixed);
    return m_projections.out(mixed);
}

bool LinearMixer::isTrained(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const Execution &how) const
{
    return how.form == Execution::Form::Chunked && q.size(2) > 1 && isRecorded({q, k, v, m_logGamma});
}

at::Tensor LinearMixer::run(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, at::Tensor &S,
                            const Execution &how) const
{
    switch (how.form) {
    case Execution::Form::Parallel: return reference::parallel(q, k, v, m_logGamma, S);
    case Execution::Form::Recurrent: return reference::recurrent(q, k, v, m_logGamma, S);
    case Execution::Form::Chunked: break;
    }
    if (isTrained(q, k, v, how))
        return attendTrained(q, k, v, m_logGamma, S, how.chunk);
    return q.size(2) == 1 ? reference::recurrent(q, k, v, m_logGamma, S)
                          : attendChunked(q, k, v, m_logGamma, S, how.chunk);
}

void LinearMixer::probe(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &entering,
                        const at::Tensor &leaving, const MixerCall &call) const
{
    const std::int64_t tokens = q.size(2);
    if (wanted(call.probe, ProbeKind::StateNorm, call.layer)) {
        const auto matrixOf = [this](const at::Tensor &state) { return state.narrow(3, 0, m_config.valueDim); };
        call.probe->offer(ProbeKind::StateNorm, call.layer,
                          tokens == 1 ? matrixOf(leaving).square().sum({2, 3}).sqrt().unsqueeze(2)
                                      : stateNorms(k, v, m_logGamma, matrixOf(entering), call.execution.chunk));
    }
    if (call.position == 0 && wanted(call.probe, ProbeKind::Attention, call.layer)) {
        at::Tensor weights = reference::impliedAttention(q, k, m_logGamma);
        if (m_config.normalises())
            weights = weights / (weights.sum(-1, true) + m_config.epsilon);
        call.probe->offer(ProbeKind::Attention, call.layer, weights);
    }
}

} // namespace lens
