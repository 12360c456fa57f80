#include "mixer/softmaxmixer.h"

#include "kernels/promptattention.h"
#include "mixer/autograd.h"
#include "mixer/kvcache.h"
#include "mixer/reference/plainforms.h"
#include "tensor/kernelbridge.h"

#include <cmath>

namespace lens {

namespace {

/// Whether rows of keys or values [B,K,S,*] are of q's type and lie one behind the other, as a cache has them.
bool areDense(const at::Tensor &rows, const at::Tensor &q)
{
    return rows.scalar_type() == q.scalar_type() && suitsKernels(rows) &&
           (rows.stride(2) == rows.size(3) || rows.size(2) == 1);
}

} // namespace

SoftmaxMixer::SoftmaxMixer(const MixerConfig &config, ProjectionSet projections)
    : m_config(config), m_projections(std::move(projections)), m_rope(config.rope, m_projections.options.device()),
      m_scale(1.0 / std::sqrt(static_cast<double>(config.inputDim)))
{
}

std::unique_ptr<SequenceState> SoftmaxMixer::initialState(std::int64_t batch) const
{
    return std::make_unique<KvCache>(batch, m_config.kvHeads, m_config.inputDim, m_config.valueDim,
                                     m_projections.options);
}

at::Tensor SoftmaxMixer::forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const
{
    auto &cache = static_cast<KvCache &>(state);
    at::Tensor q = m_projections.q(x).unflatten(2, {m_config.heads, m_config.inputDim});
    at::Tensor k = m_projections.k(x).unflatten(2, {m_config.kvHeads, m_config.inputDim});
    at::Tensor v = m_projections.v(x).unflatten(2, {m_config.kvHeads, m_config.valueDim});
    if (m_config.queryKeyNorm) {
        q = normAcrossHeads(m_projections.qNorm, q);
        k = normAcrossHeads(m_projections.kNorm, k);
    }
    q = m_rope.apply(q, call.position).transpose(1, 2);
    k = m_rope.apply(k, call.position).transpose(1, 2);
    v = v.transpose(1, 2);
    // Training runs whole sequences: nothing reads the cache, and copying into it would break the graph.
    const bool isTraining = cache.tokens() == 0 && (q.requires_grad() || k.requires_grad() || v.requires_grad());
    if (!isTraining) {
        cache.append(k, v);
        k = cache.keys();
        v = cache.values();
    }

    if (call.position == 0 && wanted(call.probe, ProbeKind::Attention, call.layer)) {
        const at::Tensor keys = repeatHeads(k.transpose(1, 2), m_config.heads).transpose(1, 2);
        const at::Tensor visible = reference::causalMask(q.size(2), q.size(2), m_config.slidingWindow, q.device());
        call.probe->offer(ProbeKind::Attention, call.layer, reference::softmaxAttention(q, keys, visible, m_scale));
    }
    const at::Tensor mixed = attend(q, k, v).transpose(1, 2).flatten(2);
    if (wanted(call.probe, ProbeKind::MixerOut, call.layer))
        call.probe->offer(ProbeKind::MixerOut, call.layer, mixed);
    return m_projections.out(mixed);
}

at::Tensor SoftmaxMixer::attend(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const
{
    const std::int64_t tokens = q.size(2), total = keys.size(2);
    if (tokens == 1)
        return attendOne(q, keys, values);
    if (suitsKernels(q) && areDense(keys, q) && areDense(values, q) && !isRecorded({q, keys, values}))
        return attendMany(q, keys, values);
    const auto expand = [&](const at::Tensor &rows) {
        return repeatHeads(rows.transpose(1, 2), m_config.heads).transpose(1, 2);
    };
    const bool plain = total == tokens && (m_config.slidingWindow == 0 || tokens <= m_config.slidingWindow);
    std::optional<at::Tensor> mask;
    if (!plain || q.is_meta())
        mask = reference::causalMask(tokens, total, m_config.slidingWindow, q.device());
    if (q.is_meta())  // the fused kernel has no meta form in a LibTorch without Python
        return at::matmul(reference::softmaxAttention(q, expand(keys), *mask, m_scale).to(q.scalar_type()),
                          expand(values));
    return at::scaled_dot_product_attention(q, expand(keys), expand(values), mask, 0.0, plain, m_scale);
}

/// One query per head: the queries of a group share their keys, so they become the rows of one product and nothing of
/// the cache is copied.
at::Tensor SoftmaxMixer::attendOne(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const
{
    const std::int64_t window = m_config.slidingWindow;
    const std::int64_t visible = window > 0 ? std::min(window, keys.size(2)) : keys.size(2);
    const std::int64_t first = keys.size(2) - visible;
    const at::Tensor k = keys.narrow(2, first, visible), v = values.narrow(2, first, visible);
    // For many sequences in bfloat16, products so narrow spend their time rearranging the cache; the fused kernel takes
    // half as long.
    if (q.size(0) > 1 && q.scalar_type() == at::kBFloat16 && q.is_cpu())
        return at::scaled_dot_product_attention(q, k, v, std::nullopt, 0.0, false, m_scale, true);
    const at::Tensor grouped = q.reshape({q.size(0), m_config.kvHeads, m_config.heads / m_config.kvHeads, q.size(3)});
    const at::Tensor scores = at::matmul(grouped, k.transpose(-1, -2)) * m_scale;
    const at::Tensor weights = at::softmax(scores, -1, at::kFloat).to(values.scalar_type());
    return at::matmul(weights, v).reshape({q.size(0), m_config.heads, 1, m_config.valueDim});
}

/// In blocks of tokens, each with the heads that share keys; the last first, since they see most.
at::Tensor SoftmaxMixer::attendMany(const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values) const
{
    constexpr std::int64_t kBlock = 64;
    const std::int64_t tokens = q.size(2), before = keys.size(2) - tokens, group = m_config.heads / m_config.kvHeads;
    const std::int64_t blocks = (tokens + kBlock - 1) / kBlock, perBlock = q.size(0) * m_config.kvHeads;
    const at::Tensor out = at::empty({q.size(0), tokens, m_config.heads, m_config.valueDim}, q.options());
    withNumberType(q, [&](auto type) {
        using T = decltype(type);
        inTurns(perBlock * blocks, [&](std::int64_t part) {
            const std::int64_t token = (blocks - 1 - part / perBlock) * kBlock;
            const std::int64_t sequence = part % perBlock / m_config.kvHeads, kvHead = part % m_config.kvHeads;
            const std::int64_t head = kvHead * group;
            const kernels::PromptAttention shape{std::min(kBlock, tokens - token), group, m_config.inputDim,
                                                 m_config.valueDim, before + token, m_config.slidingWindow, q.stride(2),
                                                 q.stride(1), out.stride(1), out.stride(2), static_cast<float>(m_scale)};
            const at::Tensor scratch = at::empty({kernels::scratchOf(shape)}, at::kFloat);
            kernels::attendMany(
                shape, numbers<const T>(q) + sequence * q.stride(0) + head * q.stride(1) + token * q.stride(2),
                numbers<const T>(keys) + sequence * keys.stride(0) + kvHead * keys.stride(1),
                numbers<const T>(values) + sequence * values.stride(0) + kvHead * values.stride(1), numbers<float>(scratch),
                numbers<T>(out) + sequence * out.stride(0) + token * out.stride(1) + head * out.stride(2));
        });
    });
    return out.transpose(1, 2);
}

} // namespace lens
