#include "model/decodestep.h"

#include "base/coreshare.h"
#include "kernels/swiglu.h"
#include "mixer/recurrentstate.h"
#include "model/onetokenmixer.h"
#include "tensor/kernelbridge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

namespace lens {

namespace {

/// What only training has, or only other devices.
bool isOnlyForThePlainPath(const Decoder &decoder)
{
    return std::any_of(decoder.weights().begin(), decoder.weights().end(), [](const auto &weight) {
        const auto &[name, tensor] = weight;
        return !suitsKernels(tensor) || !tensor.is_contiguous() || name.ends_with(".log_decay");
    });
}

float gelu(float x)
{
    return 0.5f * x * (1 + std::erf(x / std::numbers::sqrt2_v<float>));
}

class OneTokenFeedForward {
public:
    OneTokenFeedForward(const OneTokenWeights &weights, const std::string &name, FeedForwardConfig::Kind kind)
        : m_kind(kind), m_gate(weights, name + ".gate"), m_up(weights, name + ".up"), m_down(weights, name + ".down"),
          m_gated(static_cast<std::size_t>(m_up.rows())), m_raised(m_gated.size())
    {
    }

    void run(const float *x, float *y, ThreadTeam &team)
    {
        const std::array both{ProjectionJob{&m_up, x, m_raised.data()}, ProjectionJob{&m_gate, x, m_gated.data()}};
        const bool isGated = m_kind != FeedForwardConfig::Kind::Gelu;
        runProjections(team, std::span(both).first(isGated ? 2 : 1));
        switch (m_kind) {
        case FeedForwardConfig::Kind::SwiGlu:
            kernels::swiGlu(m_up.rows(), m_gated.data(), m_raised.data(), m_gated.data());
            break;
        case FeedForwardConfig::Kind::GeGlu:
            std::transform(m_gated.begin(), m_gated.end(), m_raised.begin(), m_gated.begin(), [](float g, float u) { return gelu(g) * u; });
            break;
        case FeedForwardConfig::Kind::Gelu: std::transform(m_raised.begin(), m_raised.end(), m_gated.begin(), gelu); break;
        }
        const std::array down{ProjectionJob{&m_down, m_gated.data(), y}};
        runProjections(team, down);
    }

private:
    FeedForwardConfig::Kind m_kind;
    OneTokenProjection m_gate, m_up, m_down;
    Numbers m_gated, m_raised;
};

struct OneTokenBlock {
    OneTokenNorm mixerNorm, feedForwardNorm;
    std::unique_ptr<OneTokenMixer> mixer;
    OneTokenFeedForward feedForward;
    std::size_t rotation;  // whose angles it uses
    at::Tensor stateNorms;  // [1,H,1], written anew for each probe that wants them; undefined where there is no state
};

/// Writes a token's row.
std::function<void(std::int64_t, float *)> embeddingOf(const Decoder &decoder)
{
    const std::string name = "embedding.weight";
    if (const auto quantised = decoder.quantised().find(name); quantised != decoder.quantised().end())
        return [matrix = quantised->second.matrix()](std::int64_t token, float *x) { kernels::unpack(matrix, token, 1, x); };
    return [weight = decoder.weights().at(name)](std::int64_t token, float *x) {
        const at::Tensor row = weight.select(0, token).to(at::kFloat);
        std::copy_n(row.const_data_ptr<float>(), row.numel(), x);
    };
}

/// x += y.
void add(Numbers &x, const Numbers &y)
{
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] += y[i];
}

} // namespace

class DecodeStep::Plan {
public:
    explicit Plan(const Decoder &decoder);

    std::span<const float> run(std::int64_t token, ModelState &state, ProbeSink *probe, bool wantLogits, ThreadTeam &team);

private:
    std::size_t rotationFor(const RopeConfig &config);
    void runBlock(std::size_t layer, ModelState &state, ProbeSink *probe, ThreadTeam &team);

    const DecoderConfig m_config;
    std::function<void(std::int64_t token, float *x)> m_embed;
    OneTokenNorm m_embeddingNorm, m_norm;
    OneTokenProjection m_output;
    std::vector<OneTokenRotation> m_rotations;
    std::vector<OneTokenBlock> m_blocks;
    Numbers m_x, m_normed, m_change, m_logits;
};

DecodeStep::Plan::Plan(const Decoder &decoder)
    : m_config(decoder.config()), m_embed(embeddingOf(decoder))
{
    const OneTokenWeights weights(decoder.weights(), decoder.quantised());
    if (m_config.embeddingNorm)
        m_embeddingNorm = OneTokenNorm(weights, "embedding_norm", m_config.norm);
    m_norm = OneTokenNorm(weights, "norm", m_config.norm);
    m_output = OneTokenProjection(weights, m_config.tiedEmbeddings ? "embedding" : "output");
    for (std::size_t i = 0; i < m_config.layers.size(); ++i) {
        const MixerConfig &mixer = m_config.layers[i];
        const std::string name = "layers." + std::to_string(i);
        m_blocks.push_back({OneTokenNorm(weights, name + ".mixer_norm", m_config.norm), OneTokenNorm(weights, name + ".ffn_norm", m_config.norm),
                            makeOneTokenMixer(weights, name + ".mixer", mixer),
                            OneTokenFeedForward(weights, name + ".ffn", m_config.feedForward.kind), rotationFor(mixer.rope),
                            mixer.isLinear() ? at::empty({1, mixer.heads, 1}, at::kFloat) : at::Tensor()});
    }
    for (Numbers *numbers : {&m_x, &m_normed, &m_change})
        numbers->resize(static_cast<std::size_t>(m_config.hiddenSize));
    m_logits.resize(static_cast<std::size_t>(m_config.vocabulary));
}

std::size_t DecodeStep::Plan::rotationFor(const RopeConfig &config)
{
    const auto known = std::find_if(m_rotations.begin(), m_rotations.end(), [&](const OneTokenRotation &one) { return one.config() == config; });
    const auto index = static_cast<std::size_t>(known - m_rotations.begin());
    if (known == m_rotations.end())
        m_rotations.emplace_back(config);
    return index;
}

std::span<const float> DecodeStep::Plan::run(std::int64_t token, ModelState &state, ProbeSink *probe, bool wantLogits, ThreadTeam &team)
{
    TORCH_CHECK_INDEX(token >= 0 && token < m_config.vocabulary, "token ", token, " is not in the vocabulary");
    for (OneTokenRotation &rotation : m_rotations)
        rotation.moveTo(state.position());
    m_embed(token, m_x.data());
    if (m_config.embeddingNorm)
        m_embeddingNorm.apply(m_config.hiddenSize, m_x.data(), m_x.data());
    for (std::size_t layer = 0; layer < m_blocks.size(); ++layer)
        runBlock(layer, state, probe, team);
    state.advance(1);
    if (!wantLogits)
        return {};
    m_norm.apply(m_config.hiddenSize, m_x.data(), m_normed.data());
    const std::array jobs{ProjectionJob{&m_output, m_normed.data(), m_logits.data()}};
    runProjections(team, jobs);
    return m_logits;
}

void DecodeStep::Plan::runBlock(std::size_t layer, ModelState &state, ProbeSink *probe, ThreadTeam &team)
{
    OneTokenBlock &block = m_blocks[layer];
    const auto index = static_cast<std::int64_t>(layer);
    // Being asked, a probe may end the pass.
    const bool norms = wanted(probe, ProbeKind::StateNorm, index) && block.stateNorms.defined();
    block.mixerNorm.apply(m_config.hiddenSize, m_x.data(), m_normed.data());
    block.mixer->run(m_normed.data(), m_change.data(),
                     {team, m_rotations[block.rotation], state.layer(layer), state.position(),
                      norms ? numbers<float>(block.stateNorms) : nullptr});
    add(m_x, m_change);
    block.feedForwardNorm.apply(m_config.hiddenSize, m_x.data(), m_normed.data());
    block.feedForward.run(m_normed.data(), m_change.data(), team);
    add(m_x, m_change);
    if (norms)
        probe->offer(ProbeKind::StateNorm, index, block.stateNorms);
}

DecodeStep::DecodeStep(std::shared_ptr<const Decoder> decoder, std::unique_ptr<Plan> plan, int threads)
    : m_decoder(std::move(decoder)), m_plan(std::move(plan)), m_team(threads)
{
}

DecodeStep::~DecodeStep() = default;

std::unique_ptr<DecodeStep> DecodeStep::create(std::shared_ptr<const Decoder> decoder, int threads)
{
    if (isOnlyForThePlainPath(*decoder))
        return nullptr;
    auto plan = std::make_unique<Plan>(*decoder);
    return std::unique_ptr<DecodeStep>(new DecodeStep(std::move(decoder), std::move(plan), threads));
}

bool DecodeStep::satisfies(const ProbeSink *probe, std::int64_t position) const
{
    const auto layers = static_cast<std::int64_t>(m_decoder->config().layers.size());
    for (std::int64_t layer = 0; layer < layers && probe; ++layer)
        for (const ProbeKind kind : {ProbeKind::Retention, ProbeKind::ZeroFeatures, ProbeKind::MixerIn, ProbeKind::MixerOut, ProbeKind::Hidden})
            if (probe->wants(kind, layer))
                return false;
    return position > 0 || !probe;  // attention is offered for calls at position 0 alone
}

std::span<const float> DecodeStep::run(std::int64_t token, ModelState &state, ProbeSink *probe, bool wantLogits)
{
    m_team.limit(CoreShare::of(m_team.size()));
    const std::span<const float> logits = m_plan->run(token, state, probe, wantLogits, m_team);
    m_decoder->checkFiles();
    return logits;
}

} // namespace lens
