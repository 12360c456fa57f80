#include "engine/hostdecoding.h"

#include "engine/logprobs.h"
#include "engine/sampler.h"

namespace lens {

Result<ChosenToken> HostDecoding::next(bool)
{
    const std::vector<float> &logits = *m_parts.runner.logits();
    const auto usable = std::span(logits).first(static_cast<std::size_t>(m_parts.usable));
    const auto id = chooseToken(usable, m_parts.runner.ids(), m_parts.sampling);
    if (!id)
        return propagate(id);
    m_id = *id;

    const double normaliser = logSumExp(logits);
    const auto logprob = [&](TokenId one) {
        return static_cast<float>(logits[static_cast<std::size_t>(one)] - normaliser);
    };
    ChosenToken chosen{m_id, logprob(m_id), {}, m_parts.runner.state().bytes()};
    for (const TokenId other : mostProbable(usable, static_cast<std::size_t>(m_parts.alternatives)))
        chosen.alternatives.emplace_back(other, logprob(other));
    return chosen;
}

Result<Fed> HostDecoding::keep()
{
    return m_parts.runner.feed(std::span(&m_id, 1), true, m_parts.collectors, m_parts.stop);
}

} // namespace lens
