// Keys and values of softmax attention.
#pragma once

#include "mixer/sequencestate.h"

#include <span>

namespace lens {

class KvCache final : public SequenceState {
public:
    /// Empty; rows are appended in the dtype and on the device of what comes.
    KvCache(std::int64_t batch, std::int64_t kvHeads, std::int64_t keyDim, std::int64_t valueDim,
            const at::TensorOptions &options);

    /// k [B,K,T,dk], v [B,K,T,dv].
    void append(const at::Tensor &k, const at::Tensor &v);

    /// One token of one sequence, from float32: k [K*dk], v [K*dv], rounded to the cache's dtype.
    void append(std::span<const float> k, std::span<const float> v);

    std::int64_t tokens() const { return m_tokens; }
    std::int64_t capacity() const { return m_keys.size(2); }
    at::Tensor keys() const { return m_keys.narrow(2, 0, m_tokens); }
    at::Tensor values() const { return m_values.narrow(2, 0, m_tokens); }

    /// The same with the room behind them, [B,K,capacity,dk] and [B,K,capacity,dv]: without the cost of a new tensor.
    const at::Tensor &keyBuffer() const { return m_keys; }
    const at::Tensor &valueBuffer() const { return m_values; }

    std::unique_ptr<SequenceState> clone() const override;
    std::uint64_t bytes() const override;
    bool canTruncate() const override { return true; }
    bool truncate(std::int64_t tokens) override;
    NamedTensors tensors() const override;
    Result<void> assign(const NamedTensors &tensors) override;

private:
    void reserve(std::int64_t tokens);
    void writeRow(const at::Tensor &rows, std::span<const float> row) const;

    at::Tensor m_keys;    // [B,K,capacity,dk]
    at::Tensor m_values;  // [B,K,capacity,dv]
    std::int64_t m_tokens = 0;
};

} // namespace lens
