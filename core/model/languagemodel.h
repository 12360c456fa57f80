// Seam 1: immutable weights that turn tokens into logits. Shared between columns and threads.
#pragma once

#include "mixer/sequencemixer.h"
#include "model/modelinfo.h"
#include "model/modelstate.h"

#include <ATen/ATen.h>

namespace lens {

enum class LogitsWanted {
    All,     ///< [B,T,V]
    Last,    ///< [B,1,V]
    None,    ///< an undefined tensor: only the state is of interest
    Hidden,  ///< [B,T,D] in the model's dtype: the normalised hidden states that the output projection would be given
};

struct ForwardOptions {
    LogitsWanted logits = LogitsWanted::All;
    Execution execution;
    ProbeSink *probe = nullptr;

    /// Only under autograd, from position 0: blocks keep no activations and compute them again in the backward pass, until
    /// which the model must live. The state's layers are left as they are.
    bool recompute = false;
};

class LanguageModel {
public:
    virtual ~LanguageModel() = default;

    /// What the model knows of itself: shapes, layers, dtype, device. Name, path, tokenizer and the like are empty.
    virtual ModelInfo describe() const = 0;

    virtual at::Device device() const = 0;
    virtual at::ScalarType dtype() const = 0;

    virtual ModelState initialState(std::int64_t batch) const = 0;

    /// Prefill and decode in one call: tokens [B,T] int64 on the model's device, T >= 1. Advances `state` by T.
    /// Logits are float32. Under autograd the call starts at position 0 and leaves a state that is not to be continued:
    /// training runs whole sequences. Throws c10::Error (out of memory, ids out of range): callers wrap it in guarded().
    virtual at::Tensor forward(const at::Tensor &tokens, ModelState &state, const ForwardOptions &options) const = 0;
};

using LanguageModelPtr = std::shared_ptr<const LanguageModel>;

} // namespace lens
