#include "engine/devicedecoding.h"

#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>

namespace lens {

DeviceDecoding::~DeviceDecoding()
{
    m_parts.runner.takeBack(m_parts.collectors);
    if (m_parts.runner.logits() || !m_logits.defined())
        return;
    // Without them a call that continues the text computes its last token again, no more.
    static_cast<void>(guarded("logits", [&]() -> Result<void> {
        const at::Tensor row = m_logits.to(at::kCPU).contiguous();
        m_parts.runner.setLogits({row.const_data_ptr<float>(), static_cast<std::size_t>(row.numel())});
        return {};
    }));
}

Result<ChosenToken> DeviceDecoding::next(bool isLast)
{
    const std::size_t position = m_parts.runner.ids().size();
    return guarded("token position " + std::to_string(position), [&]() -> Result<ChosenToken> {
        const c10::NoGradGuard noGrad;
        if (!m_choice)
            begin();
        const std::uint64_t stateBytes = m_parts.runner.state().bytes();
        const Choice current = *std::exchange(m_choice, std::nullopt);
        m_fed = isLast ? Fed::Stopped : feedAhead(current.id);
        Result<ChosenToken> chosen = m_sampler->read(current.report.wait(), position);
        if (chosen) {
            chosen->stateBytes = stateBytes;
            m_id = chosen->id;
        }
        return chosen;
    });
}

Result<Fed> DeviceDecoding::keep()
{
    if (m_fed && *m_fed == Fed::All && m_parts.stop.stop_requested()) {
        m_parts.runner.takeBack(m_parts.collectors);
        m_fed = Fed::Stopped;
    }
    if (!m_fed || *m_fed == Fed::Stopped)
        return m_fed;
    m_logits = std::exchange(m_logitsAhead, {});
    m_parts.runner.keepAhead(m_id);
    return Fed::All;
}

void DeviceDecoding::begin()
{
    m_logits = sentTo(m_parts.runner.device(), at::tensor(*m_parts.runner.logits(), at::kFloat));
    m_sampler.emplace(m_parts.sampling, m_parts.runner.ids(), m_logits, m_parts.usable, m_parts.alternatives);
    m_choice = choose(m_logits);
}

DeviceDecoding::Choice DeviceDecoding::choose(const at::Tensor &logits)
{
    const DeviceSampler::Choice choice = m_sampler->choose(logits);
    return {choice.id, Readback(choice.report)};
}

/// Feeds a token and chooses the next one. What goes wrong is told when the token is to be kept: it is good itself.
Result<Fed> DeviceDecoding::feedAhead(const at::Tensor &id)
{
    const Result<at::Tensor> logits = m_parts.runner.feedAhead(id, m_parts.collectors, m_parts.stop);
    if (!logits)
        return propagate(logits);
    if (!logits->defined())
        return Fed::Stopped;
    m_logitsAhead = *logits;
    const auto chosen = guarded("sampling", [&]() -> Result<void> {
        m_choice = choose(m_logitsAhead);
        return {};
    });
    if (chosen)
        return Fed::All;
    m_parts.runner.takeBack(m_parts.collectors);
    return propagate(chosen);
}

} // namespace lens
