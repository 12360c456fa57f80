// A sequence mixer: anything that takes a layer's normalised input to the input of its residual sum by looking at
// earlier tokens. Immutable; all memory is in the SequenceState it is given.
#pragma once

#include "mixer/sequencestate.h"
#include "probe/probesink.h"

#include <memory>
#include <string_view>

namespace lens {

/// How a sequence of several tokens is run. All forms of a mixer give the same numbers up to rounding.
struct Execution {
    enum class Form {
        Parallel,   ///< all pairs of tokens at once; memory grows with T^2
        Chunked,    ///< parallel inside chunks, recurrent between them; memory grows with T
        Recurrent,  ///< one token after the other
    };

    Form form = Form::Chunked;
    std::int64_t chunk = 64;  ///< tokens per chunk
};

struct MixerCall {
    std::int64_t layer = 0;
    std::int64_t position = 0;  ///< tokens seen before this call; the first input token has this position
    Execution execution;
    ProbeSink *probe = nullptr;
};

class SequenceMixer {
public:
    virtual ~SequenceMixer() = default;

    virtual std::string_view kind() const = 0;  ///< "softmax", "supra", "t2r", "linear"

    virtual std::unique_ptr<SequenceState> initialState(std::int64_t batch) const = 0;

    /// x [B,T,D] -> [B,T,D] in the dtype of x; `state` must come from this mixer and is advanced by T tokens.
    virtual at::Tensor forward(const at::Tensor &x, SequenceState &state, const MixerCall &call) const = 0;
};

} // namespace lens
