#include "mambamixer.h"

#include "mixer/tensorstate.h"

#include <algorithm>
#include <cmath>

namespace lens::mamba {

namespace {

at::Tensor optional(const NamedTensors &weights, const std::string &name)
{
    const auto found = weights.find(name);
    return found == weights.end() ? at::Tensor() : found->second;
}

/// Tokens of one scan and the blocks it is cut into.
struct ScanPlan {
    std::int64_t tokens;
    std::int64_t blocks;
};

ScanPlan planScan(const Execution &execution, const at::Tensor &state)
{
    if (execution.form == Execution::Form::Recurrent)
        return {1, 1};
    const bool parallel = execution.form == Execution::Form::Parallel;
    // What the CPU scans step by step should stay in its cache.
    const std::int64_t mostElements = std::int64_t{1} << (state.is_cpu() && !parallel ? 19 : 22);
    const std::int64_t most = std::max<std::int64_t>(1, mostElements / std::max<std::int64_t>(1, state.numel()));
    const std::int64_t tokens = parallel ? most : std::clamp<std::int64_t>(execution.chunk, 1, most);
    // The CPU computes the rows of one token in parallel as it is; a GPU wants larger steps.
    const bool side = parallel || !state.is_cpu();
    return {tokens, side ? static_cast<std::int64_t>(std::sqrt(static_cast<double>(tokens))) : 1};
}

} // namespace

/// Gathers what probes want to know of the states, chunk by chunk.
class MambaMixer::Measurements {
public:
    Measurements(const MixerCall &call, std::int64_t group) : m_call(call), m_group(group) {}

    void add(const at::Tensor &entering, const at::Tensor &states, const at::Tensor &dt, const at::Tensor &A)
    {
        if (wanted(m_call.probe, ProbeKind::StateNorm, m_call.layer))
            m_norms.push_back(norm(states));
        if (wanted(m_call.probe, ProbeKind::Retention, m_call.layer)) {
            const at::Tensor before = at::cat({entering.unsqueeze(1), states.narrow(1, 0, states.size(1) - 1)}, 1);
            m_retained.push_back(norm(decays(dt, A) * before) / norm(before));
        }
    }

    void offer() const
    {
        if (!m_norms.empty())
            m_call.probe->offer(ProbeKind::StateNorm, m_call.layer, at::cat(m_norms, 2));
        if (!m_retained.empty())
            m_call.probe->offer(ProbeKind::Retention, m_call.layer, at::cat(m_retained, 2));
    }

private:
    /// [B,T,C,S] -> [B,G,T]
    at::Tensor norm(const at::Tensor &states) const
    {
        return states.unflatten(2, {-1, m_group}).square().sum({3, 4}).sqrt().transpose(1, 2);
    }

    const MixerCall &m_call;
    std::int64_t m_group;
    std::vector<at::Tensor> m_norms, m_retained;
};

MambaMixer::MambaMixer(const MambaConfig &config, const NamedTensors &weights, const std::string &layer)
    : m_stateSize(config.stateSize), m_convKernel(config.convKernel), m_rank(config.rank), m_group(config.groupSize()),
      m_convBias(optional(weights, layer + ".conv_bias")),
      m_in{weights.at(layer + ".in"), optional(weights, layer + ".in_bias")}, m_x{weights.at(layer + ".x"), {}},
      m_dt{weights.at(layer + ".dt"), {}}, m_out{weights.at(layer + ".out"), optional(weights, layer + ".out_bias")},
      m_innerNorm{{NormConfig::Kind::Rms, std::max(0.0, config.innerNormEpsilon), false, false}, {}, {}},
      m_normsInner(config.innerNormEpsilon >= 0), m_dtBias(weights.at(layer + ".dt_bias")),
      m_A(weights.at(layer + ".A_log").exp().neg()), m_D(weights.at(layer + ".D"))
{
    const at::Tensor taps = weights.at(layer + ".conv").squeeze(1).t().contiguous();
    for (std::int64_t i = 0; i < m_convKernel; ++i)
        m_taps.push_back(taps.select(0, i));
}

std::unique_ptr<SequenceState> MambaMixer::initialState(std::int64_t batch) const
{
    const std::int64_t channels = m_A.size(0);
    return std::make_unique<TensorState>(
        NamedTensors{{"ssm_state", at::zeros({batch, channels, m_stateSize}, m_A.options())},
                     {"conv_state", at::zeros({batch, channels, m_convKernel}, m_A.options())}});
}

at::Tensor MambaMixer::forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const
{
    auto &tensors = static_cast<TensorState &>(state);
    const std::vector<at::Tensor> halves = m_in(x).chunk(2, 2);
    const at::Tensor convolved = convolve(halves[0].to(at::kFloat), tensors["conv_state"]);
    const ScanInput input = select(convolved, x.scalar_type());
    at::Tensor y = scanAll(input, tensors["ssm_state"], call);
    if (call.position == 0 && wanted(call.probe, ProbeKind::Attention, call.layer))
        call.probe->offer(ProbeKind::Attention, call.layer, impliedAttention(input, m_A, m_group, [&call] {
            wanted(call.probe, ProbeKind::Attention, call.layer);  // heeds a stop request
        }));
    y = at::addcmul(y, convolved, m_D) * at::silu(halves[1].to(at::kFloat));
    const at::Tensor mixed = y.to(x.scalar_type());
    if (wanted(call.probe, ProbeKind::MixerOut, call.layer))
        call.probe->offer(ProbeKind::MixerOut, call.layer, mixed);
    return m_out(mixed);
}

/// Depthwise, each channel for itself, then silu; as a sum over the few taps, which needs no layout of its own.
at::Tensor MambaMixer::convolve(const at::Tensor &x, at::Tensor &state) const
{
    const std::int64_t tokens = x.size(1);
    const at::Tensor inputs = at::cat({state.transpose(1, 2), x}, 1);
    at::Tensor sum = inputs.narrow(1, 1, tokens) * m_taps[0];
    for (std::int64_t i = 1; i < m_convKernel; ++i)
        sum.addcmul_(inputs.narrow(1, i + 1, tokens), m_taps[static_cast<std::size_t>(i)]);
    if (m_convBias.defined())
        sum.add_(m_convBias);
    state = inputs.narrow(1, tokens, m_convKernel).transpose(1, 2).clone(at::MemoryFormat::Contiguous);
    return at::silu(sum);
}

/// Time step, input and read-out weights, which all depend on the token.
ScanInput MambaMixer::select(const at::Tensor &x, at::ScalarType type) const
{
    std::vector<at::Tensor> parts = m_x(x.to(type)).split_with_sizes({m_rank, m_stateSize, m_stateSize}, 2);
    if (m_normsInner)
        for (at::Tensor &part : parts)
            part = m_innerNorm(part);
    const at::Tensor dt = at::softplus(m_dt(parts[0]).to(at::kFloat) + m_dtBias);
    return {x, dt, parts[1].to(at::kFloat), parts[2].to(at::kFloat)};
}

at::Tensor MambaMixer::scanAll(const ScanInput &input, at::Tensor &state, const MixerCall &call) const
{
    const ScanPlan plan = planScan(call.execution, state);
    Measurements measurements(call, m_group);
    std::vector<at::Tensor> outputs;
    for (std::int64_t from = 0; from < input.tokens(); from += plan.tokens) {
        const ScanInput part = input.slice(from, std::min(plan.tokens, input.tokens() - from));
        const ScanResult result = scan(part, m_A, state, plan.blocks);
        measurements.add(state, result.states, part.dt, m_A);
        outputs.push_back(result.y);
        state = result.states.select(1, part.tokens() - 1).clone(at::MemoryFormat::Contiguous);
    }
    measurements.offer();
    return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 1);
}

} // namespace lens::mamba
