#include "engine/headcollector.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace lens {

namespace {

constexpr double secondsBetweenFrames = 0.1;
constexpr std::int64_t tokensPerFrame = 8;

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

HeadCollector::HeadCollector(HeadQuantity quantity, const ModelInfo &info, std::function<void(const HeadFrame &)> deliver)
    : m_quantity(quantity), m_heads(info.heads), m_deliver(std::move(deliver)), m_lastDelivery(now())
{
    for (const LayerInfo &layer : info.layers)
        m_recurrent.push_back(layer.mixer != "softmax");
    m_recurrent.resize(static_cast<std::size_t>(info.layerCount), true);
}

bool HeadCollector::wants(ProbeKind kind, std::int64_t layer) const
{
    const ProbeKind wanted = m_quantity == HeadQuantity::StateNorm ? ProbeKind::StateNorm : ProbeKind::Retention;
    return kind == wanted && layer < static_cast<std::int64_t>(m_recurrent.size()) && m_recurrent[static_cast<std::size_t>(layer)];
}

void HeadCollector::begin(std::int64_t first, std::int64_t tokens)
{
    if (m_frame.tokens > 0 && m_frame.firstToken + m_frame.tokens != first)
        deliver(true);
    if (m_frame.tokens == 0) {
        m_frame.firstToken = first;
        m_frame.layers = static_cast<std::int64_t>(m_recurrent.size());
        m_frame.heads = m_heads;
        m_frame.quantity = m_quantity;
    }
    m_frame.tokens += tokens;
    m_current = tokens;
    m_frame.values.resize(static_cast<std::size_t>(m_frame.tokens * m_frame.layers * m_frame.heads), std::nanf(""));
}

void HeadCollector::offer(std::int64_t layer, const at::Tensor &value)
{
    // Every token of decoding gives numbers in a row, of which nothing needs to be made.
    const bool isPlain = value.is_cpu() && value.scalar_type() == at::kFloat && value.is_contiguous();
    const at::Tensor numbers = isPlain ? value : value.detach().narrow(0, 0, 1).to(at::kCPU, at::kFloat).contiguous();
    const std::int64_t heads = std::min(m_heads, numbers.size(1));
    const std::int64_t tokens = std::min(m_current, numbers.size(2));
    const float *from = numbers.const_data_ptr<float>();
    const std::int64_t first = m_frame.tokens - m_current;
    for (std::int64_t token = 0; token < tokens; ++token)
        for (std::int64_t head = 0; head < heads; ++head)
            m_frame.values[static_cast<std::size_t>(((first + token) * m_frame.layers + layer) * m_heads + head)] =
                from[head * numbers.size(2) + token];
}

void HeadCollector::discard()
{
    m_frame.tokens -= m_current;
    m_current = 0;
    m_frame.values.resize(static_cast<std::size_t>(m_frame.tokens * m_frame.layers * m_frame.heads));
}

void HeadCollector::deliver(bool atOnce)
{
    m_current = 0;
    const double time = now();
    if (m_frame.tokens == 0
        || (!atOnce && m_frame.tokens < tokensPerFrame && time - m_lastDelivery < secondsBetweenFrames))
        return;
    m_lastDelivery = time;
    m_deliver(std::exchange(m_frame, {}));
}

} // namespace lens
