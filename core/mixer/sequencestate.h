// What one layer remembers of the tokens it has seen: a KV cache, a recurrent state, or a plugin's own.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <ATen/ATen.h>

namespace lens {

using NamedTensors = std::map<std::string, at::Tensor>;

class SequenceState {
public:
    virtual ~SequenceState() = default;

    /// A copy that shares no memory with this one.
    virtual std::unique_ptr<SequenceState> clone() const = 0;

    /// Bytes held for the tokens seen so far.
    virtual std::uint64_t bytes() const = 0;

    /// Whether truncate() works for this kind of state: a KV cache can forget its end, a recurrent state cannot.
    virtual bool canTruncate() const { return !recurrentState().defined(); }

    /// Forgets everything after the first `tokens` tokens. False, and unchanged, when this kind of state cannot.
    virtual bool truncate(std::int64_t tokens) = 0;

    /// Everything needed to restore it, by name.
    virtual NamedTensors tensors() const = 0;

    /// The opposite of tensors(). ErrorCode::Mismatch when names or shapes do not fit.
    virtual Result<void> assign(const NamedTensors &tensors) = 0;

    /// The recurrent state S [B,H,dk,dv] after the last token, float32, not yet decayed for the next one. Undefined
    /// tensor where the family has no such matrix.
    virtual at::Tensor recurrentState() const { return {}; }
};

} // namespace lens
