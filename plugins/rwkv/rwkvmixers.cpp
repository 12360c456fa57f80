#include "rwkvmixers.h"

#include "tokenshift.h"

namespace lens::rwkv {

namespace {

constexpr double kMostNegative = -1e30;  ///< instead of an infinite decay, since zero steps of it must change nothing
constexpr double kNothing = -1e38;       ///< RWKV-4's exponent of an empty sum

/// log of exp(-exp(time_decay)).
at::Tensor logDecay(const at::Tensor &stored)
{
    return (-at::exp(stored)).clamp_min(kMostNegative);
}

/// [H,N] or [H,1], whatever shape is stored.
at::Tensor perHead(const at::Tensor &stored, std::int64_t heads)
{
    return stored.reshape({heads, -1});
}

at::Tensor zeros(const at::Tensor &like, std::vector<std::int64_t> shape)
{
    return at::zeros(shape, like.options().dtype(at::kFloat));
}

/// Lets a stop request through, which a probe throws when it is asked.
std::function<void()> stopPoint(const MixerCall &call)
{
    return [&call] { static_cast<void>(wanted(call.probe, ProbeKind::Hidden, call.layer)); };
}

} // namespace

LayerWeights::LayerWeights(const NamedTensors &weights, std::int64_t layer)
    : m_weights(weights), m_prefix("layers." + std::to_string(layer) + ".")
{
}

at::Tensor LayerWeights::operator()(const std::string &name) const
{
    const auto found = m_weights.find(m_prefix + name);
    return found == m_weights.end() ? at::Tensor() : found->second;
}

Rwkv4Mixer::Rwkv4Mixer(const RwkvConfig &config, const LayerWeights &weights)
    : m_width(config.hiddenSize), m_inner(config.attentionSize), m_groups(config.heads),
      m_shareK(weights.vector("att.mix_k")), m_shareV(weights.vector("att.mix_v")), m_shareR(weights.vector("att.mix_r")),
      m_key(weights.projection("att.key")), m_value(weights.projection("att.value")),
      m_receptance(weights.projection("att.receptance")), m_output(weights.projection("att.output")),
      m_wkv(logDecay(weights.vector("att.decay")), weights.vector("att.first"))
{
}

std::unique_ptr<SequenceState> Rwkv4Mixer::initialState(std::int64_t batch) const
{
    const at::Tensor &like = m_key.weight;
    return std::make_unique<TensorState>(NamedTensors{
        {"att_x", zeros(like, {batch, m_width})}, {"ffn_x", zeros(like, {batch, m_width})},
        {"aa", zeros(like, {batch, m_inner})}, {"bb", zeros(like, {batch, m_inner})},
        {"pp", at::full({batch, m_inner}, kNothing, like.options().dtype(at::kFloat))}});
}

at::Tensor Rwkv4Mixer::forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const
{
    auto &memory = static_cast<TensorState &>(state);
    const TokenShift shift(x, memory["att_x"]);
    const at::Tensor k = m_key(shift.mixed(m_shareK)).to(at::kFloat), v = m_value(shift.mixed(m_shareV)).to(at::kFloat);
    const at::Tensor r = at::sigmoid(m_receptance(shift.mixed(m_shareR)));
    ScaledSums sums{memory["aa"], memory["bb"], memory["pp"]}, before;
    const bool isWatched = wanted(call.probe, ProbeKind::StateNorm, call.layer)
                           || wanted(call.probe, ProbeKind::Retention, call.layer)
                           || wanted(call.probe, ProbeKind::Attention, call.layer);
    const at::Tensor wkv = m_wkv.forward(k, v, sums, call.execution, stopPoint(call), isWatched ? &before : nullptr);
    if (isWatched)
        offerProbes(k, before, sums, call);
    memory["aa"] = sums.aa;
    memory["bb"] = sums.bb;
    memory["pp"] = sums.pp;
    const at::Tensor y = r * wkv.to(x.scalar_type());
    if (wanted(call.probe, ProbeKind::MixerOut, call.layer))
        call.probe->offer(ProbeKind::MixerOut, call.layer, y);
    return m_output(y);
}

void Rwkv4Mixer::offerProbes(const at::Tensor &k, const ScaledSums &before, const ScaledSums &after, const MixerCall &call) const
{
    const bool ofState = wanted(call.probe, ProbeKind::StateNorm, call.layer);
    const bool ofDecay = wanted(call.probe, ProbeKind::Retention, call.layer);
    if (ofState || ofDecay) {
        const Wkv4::Norms norms = m_wkv.norms(before, after, m_groups);
        if (ofState)
            call.probe->offer(ProbeKind::StateNorm, call.layer, norms.state);
        if (ofDecay)
            call.probe->offer(ProbeKind::Retention, call.layer, norms.retention);
    }
    if (call.position == 0 && wanted(call.probe, ProbeKind::Attention, call.layer))
        call.probe->offer(ProbeKind::Attention, call.layer, m_wkv.attention(k, before, m_groups, stopPoint(call)));
}

Rwkv5Mixer::Rwkv5Mixer(const RwkvConfig &config, const LayerWeights &weights)
    : m_config(config), m_shareK(weights.vector("att.mix_k")), m_shareV(weights.vector("att.mix_v")),
      m_shareR(weights.vector("att.mix_r")), m_shareG(config.gated ? weights.vector("att.mix_g") : at::Tensor()),
      m_key(weights.projection("att.key")), m_value(weights.projection("att.value")),
      m_receptance(weights.projection("att.receptance")), m_gate(weights.projection("att.gate")),
      m_output(weights.projection("att.output")), m_normWeight(weights.vector("att.ln_x.weight")),
      m_normBias(weights.vector("att.ln_x.bias")),
      m_wkv(logDecay(perHead(weights("att.decay"), config.heads)),
            config.firstIsLogarithm ? at::exp(perHead(weights("att.first"), config.heads))
                                    : perHead(weights("att.first"), config.heads),
            config.headSize())
{
}

std::unique_ptr<SequenceState> Rwkv5Mixer::initialState(std::int64_t batch) const
{
    const std::int64_t size = m_config.headSize();
    return std::make_unique<TensorState>(NamedTensors{{"att_x", zeros(m_key.weight, {batch, m_config.hiddenSize})},
                                                      {"ffn_x", zeros(m_key.weight, {batch, m_config.hiddenSize})},
                                                      {"state", zeros(m_key.weight, {batch, m_config.heads, size, size})}});
}

at::Tensor Rwkv5Mixer::heads(const at::Tensor &x) const
{
    return x.to(at::kFloat).view({x.size(0), x.size(1), m_config.heads, m_config.headSize()}).transpose(1, 2);
}

at::Tensor Rwkv5Mixer::normalised(const at::Tensor &o) const
{
    const at::Tensor normed = headNorm(o.transpose(1, 2), m_config.groupEpsilon).flatten(2);
    return at::addcmul(m_normBias, normed, m_normWeight);
}

at::Tensor Rwkv5Mixer::forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const
{
    auto &memory = static_cast<TensorState &>(state);
    const TokenShift shift(x, memory["att_x"]);
    const at::Tensor r = heads(m_receptance(shift.mixed(m_shareR)));
    const at::Tensor k = heads(m_key(shift.mixed(m_shareK)));
    const at::Tensor v = heads(m_value(shift.mixed(m_shareV)));
    offerProbes(r, k, v, memory["state"], call);
    const at::Tensor o = m_wkv.forward(r, k, v, memory["state"], call.execution, stopPoint(call));
    at::Tensor y = normalised(o).to(x.scalar_type());
    if (m_config.gated)
        y = y * at::silu(m_gate(shift.mixed(m_shareG)));
    if (wanted(call.probe, ProbeKind::MixerOut, call.layer))
        call.probe->offer(ProbeKind::MixerOut, call.layer, y);
    return m_output(y);
}

void Rwkv5Mixer::offerProbes(const at::Tensor &r, const at::Tensor &k, const at::Tensor &v, const at::Tensor &S,
                             const MixerCall &call) const
{
    const bool ofState = wanted(call.probe, ProbeKind::StateNorm, call.layer);
    const bool ofDecay = wanted(call.probe, ProbeKind::Retention, call.layer);
    if (ofState || ofDecay) {
        const Wkv5::Norms norms = m_wkv.norms(k, v, S, stopPoint(call));
        if (ofState)
            call.probe->offer(ProbeKind::StateNorm, call.layer, norms.state);
        if (ofDecay)
            call.probe->offer(ProbeKind::Retention, call.layer, norms.retention);
    }
    if (call.position == 0 && wanted(call.probe, ProbeKind::Attention, call.layer))
        call.probe->offer(ProbeKind::Attention, call.layer, m_wkv.attention(r, k));
}

ChannelMix::ChannelMix(const LayerWeights &weights)
    : m_shareK(weights.vector("ffn.mix_k")), m_shareR(weights.vector("ffn.mix_r")), m_key(weights.projection("ffn.key")),
      m_value(weights.projection("ffn.value")), m_receptance(weights.projection("ffn.receptance"))
{
}

at::Tensor ChannelMix::operator()(const at::Tensor &x, TensorState &state) const
{
    const TokenShift shift(x, state["ffn_x"]);
    const at::Tensor inner = m_value(m_key(shift.mixed(m_shareK)).clamp_min(0).square());
    return at::sigmoid(m_receptance(shift.mixed(m_shareR))) * inner;
}

} // namespace lens::rwkv
