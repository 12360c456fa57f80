#include "engine/sequencerunner.h"

#include "engine/stopprobe.h"
#include "tensor/hosttransfer.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <algorithm>
#include <utility>

namespace lens {

namespace {

/// A KV cache can be shortened to any length; what cannot has to be copied.
bool hasUnshortenableLayer(const ModelState &state)
{
    for (std::size_t i = 0; i < state.layerCount(); ++i)
        if (!state.layer(i).canTruncate())
            return true;
    return false;
}

/// Measures what the collectors want and ends the pass when asked to stop.
class FeedProbe final : public StopProbe {
public:
    FeedProbe(std::stop_token stop, std::span<HeadCollector> collectors)
        : StopProbe(std::move(stop)), m_collectors(collectors) {}

    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        for (HeadCollector &collector : m_collectors)
            if (collector.wants(kind, layer))
                collector.offer(layer, value);
    }

private:
    bool wantsValue(ProbeKind kind, std::int64_t layer) const override
    {
        return std::ranges::any_of(m_collectors, [&](const HeadCollector &one) { return one.wants(kind, layer); });
    }

    std::span<HeadCollector> m_collectors;
};

} // namespace

SequenceRunner::SequenceRunner(LanguageModelPtr model, std::unique_ptr<DecodeStep> step, ModelState state, bool needsSnapshots,
                               std::uint64_t budget)
    : m_model(std::move(model)), m_step(std::move(step)), m_state(std::move(state)), m_needsSnapshots(needsSnapshots), m_snapshots(budget)
{
}

Result<SequenceRunner> SequenceRunner::create(LanguageModelPtr model, std::uint64_t budget)
{
    return guarded("decode session", [&]() -> Result<SequenceRunner> {
        const c10::NoGradGuard noGrad;
        ModelState state = model->initialState(1);
        const bool needsSnapshots = hasUnshortenableLayer(state);
        const auto decoder = std::dynamic_pointer_cast<const Decoder>(model);
        std::unique_ptr<DecodeStep> step = decoder ? DecodeStep::create(decoder, threadCount()) : nullptr;
        return SequenceRunner(std::move(model), std::move(step), std::move(state), needsSnapshots, budget);
    });
}

Result<std::int64_t> SequenceRunner::rewind(std::span<const TokenId> prompt)
{
    return guarded("decode session", [&]() -> Result<std::int64_t> { return rewindUnguarded(prompt); });
}

std::int64_t SequenceRunner::rewindUnguarded(std::span<const TokenId> prompt)
{
    const c10::NoGradGuard noGrad;
    const auto common = static_cast<std::size_t>(std::ranges::mismatch(m_ids, prompt).in1 - m_ids.begin());
    if (common == m_ids.size() && (common < prompt.size() || m_logits))
        return static_cast<std::int64_t>(common);

    const std::size_t wanted = std::min(common, prompt.size() - 1);
    const Snapshot *snapshot = m_snapshots.best(prompt, SnapshotStore::Whole::WithLogits);
    const bool snapshotIsLonger = snapshot && snapshot->ids.size() > wanted;
    if (!snapshotIsLonger && wanted > 0 && m_state.truncate(static_cast<std::int64_t>(wanted))) {
        m_ids.resize(wanted);
        m_logits.reset();
    } else {
        restore(snapshot);
    }
    return static_cast<std::int64_t>(m_ids.size());
}

Result<Fed> SequenceRunner::feed(std::span<const TokenId> ids, bool wantLogits,
                                 std::span<HeadCollector> collectors, std::stop_token stop)
{
    // A copy of the recurrent states for each single token on the CPU would cost as much as the token.
    if (!mayGoInPlace(ids.size()))
        if (const auto remembered = rememberWayBack(); !remembered)
            return propagate(remembered);
    const auto fed = run(static_cast<std::int64_t>(ids.size()), collectors, std::move(stop),
                         [&](ProbeSink &probe) { forward(ids, wantLogits, probe); });
    m_before.reset();
    if (fed && *fed == Fed::All)
        append(ids);
    return fed;
}

Result<at::Tensor> SequenceRunner::feedAhead(const at::Tensor &id, std::span<HeadCollector> collectors,
                                             std::stop_token stop)
{
    if (const auto remembered = rememberWayBack(); !remembered)
        return propagate(remembered);
    at::Tensor logits;
    const auto fed = run(1, collectors, std::move(stop), [&](ProbeSink &probe) { logits = forward(id, true, probe); });
    if (!fed)
        return propagate(fed);
    return logits;
}

void SequenceRunner::keepAhead(TokenId id)
{
    m_before.reset();
    m_logits.reset();
    append(std::span(&id, 1));
}

void SequenceRunner::takeBack(std::span<HeadCollector> collectors)
{
    if (!m_before)
        return;
    for (HeadCollector &collector : collectors)
        collector.discard();
    recover(m_before->position);
}

Result<void> SequenceRunner::rememberWayBack()
{
    return guarded("token position " + std::to_string(m_ids.size()), [&]() -> Result<void> {
        const c10::NoGradGuard noGrad;
        m_before = m_state.point();
        return {};
    });
}

/// One pass over `tokens` tokens; of one that fails or is stopped nothing remains.
template <class Pass>
Result<Fed> SequenceRunner::run(std::int64_t tokens, std::span<HeadCollector> collectors, std::stop_token stop,
                                Pass &&pass)
{
    const auto position = static_cast<std::int64_t>(m_ids.size());
    for (HeadCollector &collector : collectors)
        collector.begin(position, tokens);
    FeedProbe probe(std::move(stop), collectors);
    const auto fed = guarded("token position " + std::to_string(position), [&]() -> Result<Fed> {
        const c10::NoGradGuard noGrad;
        try {
            pass(probe);
        } catch (const StopProbe::Stopped &) {
            return Fed::Stopped;
        }
        return Fed::All;
    });
    if (!fed || *fed == Fed::Stopped) {
        for (HeadCollector &collector : collectors)
            collector.discard();
        recover(position);
    }
    return fed;
}

void SequenceRunner::append(std::span<const TokenId> ids)
{
    m_ids.insert(m_ids.end(), ids.begin(), ids.end());
    if (static_cast<std::int64_t>(m_ids.size()) - m_lastSnapshot >= snapshotInterval)
        takeSnapshot(false);
}

void SequenceRunner::forward(std::span<const TokenId> ids, bool wantLogits, ProbeSink &probe)
{
    if (mayGoInPlace(ids.size()) && m_step->satisfies(&probe, m_state.position())) {
        const std::span<const float> logits = m_step->run(ids.front(), m_state, &probe, wantLogits);
        setLogits(logits);
        return;
    }
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    const at::Tensor logits = forward(sentTo(m_model->device(), at::tensor(wide, at::kLong)), wantLogits, probe);
    const at::Tensor row = wantLogits ? logits.to(at::kCPU).contiguous() : at::empty({0});
    setLogits({row.const_data_ptr<float>(), static_cast<std::size_t>(row.numel())});
}

/// Undefined when no logits are wanted, else [V] float32.
at::Tensor SequenceRunner::forward(const at::Tensor &ids, bool wantLogits, ProbeSink &probe)
{
    ForwardOptions options;
    options.logits = wantLogits ? LogitsWanted::Last : LogitsWanted::None;
    options.probe = &probe;
    const at::Tensor logits = m_model->forward(ids.unsqueeze(0), m_state, options);
    return wantLogits ? logits.reshape({-1}).to(at::kFloat) : at::Tensor();
}

void SequenceRunner::setLogits(std::span<const float> logits)
{
    m_logits.reset();
    if (logits.empty())
        return;
    if (!m_buffer || m_buffer.use_count() > 1)
        m_buffer = std::make_shared<std::vector<float>>();
    m_buffer->assign(logits.begin(), logits.end());
    m_logits = m_buffer;
}

void SequenceRunner::takeSnapshot(bool lasting)
{
    if (!m_needsSnapshots || m_ids.empty())
        return;
    // One that finds no memory is not worth losing a text for: going back will take longer, no more.
    static_cast<void>(guarded("snapshot", [&]() -> Result<void> {
        m_snapshots.add(m_ids, m_state, m_logits, lasting);
        return {};
    }));
    m_lastSnapshot = static_cast<std::int64_t>(m_ids.size());
}

Result<void> SequenceRunner::assign(std::vector<TokenId> ids, const NamedTensors &state, Logits logits)
{
    return guarded("saved state", [&]() -> Result<void> {
        const c10::NoGradGuard noGrad;
        ModelState fresh = m_model->initialState(1);
        if (auto assigned = fresh.assign(state); !assigned)
            return assigned;
        if (fresh.position() != static_cast<std::int64_t>(ids.size()))
            return fail(ErrorCode::Mismatch, "the saved state stands for " + std::to_string(fresh.position())
                        + " tokens, but " + std::to_string(ids.size()) + " are listed", "saved state");
        m_state = std::move(fresh);
        m_ids = std::move(ids);
        m_logits = std::move(logits);
        takeSnapshot(true);
        return {};
    });
}

void SequenceRunner::clear()
{
    m_snapshots.clear();
    restore(nullptr);
}

void SequenceRunner::restore(const Snapshot *snapshot)
{
    const c10::NoGradGuard noGrad;
    m_state = snapshot ? snapshot->state.clone() : m_model->initialState(1);
    m_ids = snapshot ? snapshot->ids : std::vector<TokenId>();
    m_logits = snapshot ? snapshot->logits : nullptr;
    m_lastSnapshot = static_cast<std::int64_t>(m_ids.size());
}

void SequenceRunner::recover(std::int64_t position)
{
    if (m_before) {
        m_state.goBackTo(std::move(*m_before));
        m_before.reset();
        return;
    }
    // A pass that was broken off has advanced some layers and not others, so ask each of them.
    bool shortened = m_state.position() == position;
    for (std::size_t i = 0; i < m_state.layerCount() && shortened; ++i)
        shortened = m_state.layer(i).truncate(position);
    if (shortened)
        return;
    const auto restored = guarded("decode session", [&]() -> Result<void> {
        restore(m_snapshots.best(m_ids, SnapshotStore::Whole::Any));
        return {};
    });
    if (!restored)
        clear();
}

} // namespace lens
