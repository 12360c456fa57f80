// The steps of engine/sampler.h in LibTorch's operators, where the logits lie: nothing in here waits for the device,
// and no tensor's shape depends on what another one holds. Draws walk through the candidates in the same order with the
// same random numbers, and so choose the same tokens but for rounding.
#pragma once

#include "engine/decoding.h"
#include "engine/tokencounts.h"

namespace lens {

/// Chooses the tokens of one text, one after the other. Everything may throw c10::Error: call it inside guarded().
class DeviceSampler {
public:
    /// To continue `text`; `options` have passed checkSampling() and outlive this. `like` are logits as choose() will
    /// get them: their number and device. Ids from `usable` on are never chosen; so many `alternatives` are reported.
    DeviceSampler(const SamplingOptions &options, std::span<const TokenId> text, const at::Tensor &like,
                  std::int64_t usable, std::int64_t alternatives);

    struct Choice {
        at::Tensor id;      ///< [1] int64; some id of the vocabulary also where read() will tell of an error
        at::Tensor report;  ///< for read(): all that the host wants to know, so that one copy suffices
    };

    /// The next token, from logits [V] float32. It belongs to the text from now on.
    Choice choose(const at::Tensor &logits);

    /// What a choice at `position` came to, from its report on the CPU. Errors: those of candidates(). The state's
    /// bytes are left to the caller.
    Result<ChosenToken> read(const at::Tensor &report, std::size_t position) const;

private:
    at::Tensor adjusted(const at::Tensor &logits) const;
    at::Tensor draw(const at::Tensor &adjusted, double uniform) const;
    at::Tensor report(const at::Tensor &logits, const at::Tensor &id, const at::Tensor &adjusted) const;

    const SamplingOptions &m_options;
    std::uint64_t m_position;  // of the token that is chosen next
    std::int64_t m_usable;
    std::int64_t m_alternatives;
    std::int64_t m_allowed;              // usable tokens that the bias does not forbid
    at::Tensor m_bias;                   // [usable] float64; undefined when there is none
    std::optional<TokenCounts> m_counts;  // only where penalties want them
};

} // namespace lens
