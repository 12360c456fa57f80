#include "mixer/kvcache.h"

#include "kernels/onetoken.h"
#include "tensor/kernelbridge.h"

namespace lens {

KvCache::KvCache(std::int64_t batch, std::int64_t kvHeads, std::int64_t keyDim, std::int64_t valueDim,
                 const at::TensorOptions &options)
    : m_keys(at::empty({batch, kvHeads, 0, keyDim}, options)), m_values(at::empty({batch, kvHeads, 0, valueDim}, options))
{
}

void KvCache::reserve(std::int64_t tokens)
{
    const std::int64_t capacity = m_keys.size(2);
    if (tokens <= capacity)
        return;
    const std::int64_t wanted = std::max<std::int64_t>({tokens, capacity + capacity / 2, 64});
    const auto grown = [&](const at::Tensor &rows) {
        const at::Tensor larger = at::empty({rows.size(0), rows.size(1), wanted, rows.size(3)}, rows.options());
        larger.narrow(2, 0, m_tokens).copy_(rows.narrow(2, 0, m_tokens));
        return larger;
    };
    // Both before one of them is replaced: there may be memory for the first alone.
    const at::Tensor keys = grown(m_keys), values = grown(m_values);
    m_keys = keys;
    m_values = values;
}

void KvCache::append(const at::Tensor &k, const at::Tensor &v)
{
    const std::int64_t count = k.size(2);
    reserve(m_tokens + count);
    m_keys.narrow(2, m_tokens, count).copy_(k);
    m_values.narrow(2, m_tokens, count).copy_(v);
    m_tokens += count;
}

void KvCache::append(std::span<const float> k, std::span<const float> v)
{
    reserve(m_tokens + 1);
    writeRow(m_keys, k);
    writeRow(m_values, v);
    ++m_tokens;
}

void KvCache::writeRow(const at::Tensor &rows, std::span<const float> row) const
{
    const std::int64_t heads = rows.size(1), width = rows.size(3);
    withNumberType(rows, [&](auto type) {
        using T = decltype(type);
        for (std::int64_t head = 0; head < heads; ++head)
            kernels::convert(width, row.data() + head * width, numbers<T>(rows) + (head * rows.size(2) + m_tokens) * width);
    });
}

std::unique_ptr<SequenceState> KvCache::clone() const
{
    auto copy = std::make_unique<KvCache>(*this);
    copy->m_keys = keys().clone(at::MemoryFormat::Contiguous);
    copy->m_values = values().clone(at::MemoryFormat::Contiguous);
    return copy;
}

std::uint64_t KvCache::bytes() const
{
    const std::int64_t rows = m_keys.size(0) * m_keys.size(1) * m_tokens;
    return static_cast<std::uint64_t>(rows * (m_keys.size(3) + m_values.size(3))) * m_keys.element_size();
}

bool KvCache::truncate(std::int64_t tokens)
{
    m_tokens = std::min(m_tokens, tokens);
    return true;
}

NamedTensors KvCache::tensors() const
{
    return {{"keys", keys().contiguous()}, {"values", values().contiguous()}};
}

Result<void> KvCache::assign(const NamedTensors &tensors)
{
    const auto keys = tensors.find("keys");
    const auto values = tensors.find("values");
    if (keys == tensors.end() || values == tensors.end())
        return fail(ErrorCode::Mismatch, "a KV cache needs the tensors \"keys\" and \"values\"");
    const auto fits = [](const at::Tensor &from, const at::Tensor &own) {
        return from.dim() == 4 && from.size(0) == own.size(0) && from.size(1) == own.size(1) && from.size(3) == own.size(3);
    };
    if (!fits(keys->second, m_keys) || !fits(values->second, m_values) || keys->second.size(2) != values->second.size(2))
        return fail(ErrorCode::Mismatch, "the saved KV cache has other head counts or sizes than this model");
    m_tokens = keys->second.size(2);
    m_keys = keys->second.to(m_keys.options(), false, true);
    m_values = values->second.to(m_values.options(), false, true);
    return {};
}

} // namespace lens
