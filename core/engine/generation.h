// One call of DecodeSession::generate: prefill, then choose, report and feed token after token.
#pragma once

#include "engine/engine.h"
#include "engine/headcollector.h"
#include "engine/sequencerunner.h"
#include "engine/stopstrings.h"

#include <chrono>

namespace lens {

class Generation {
public:
    /// Tokens of a prompt fed in one pass: so many that a layer's numbers stay in a core's own cache. Fixed, since other
    /// sizes would round differently and the same seed shall give the same text; a stop request is heeded between layers,
    /// so larger models need no smaller chunks.
    static constexpr std::size_t prefillChunk = 256;

    Generation(const LoadedModel &model, SequenceRunner &runner, const GenerationOptions &options,
               const GenerationCallbacks &callbacks, std::stop_token stop);

    Result<GenerationResult> run(std::span<const TokenId> prompt);

private:
    Result<void> check(std::span<const TokenId> prompt) const;
    Result<Fed> prefill(std::span<const TokenId> prompt);
    Result<StopReason> decode();
    TokenEvent describe(TokenId id) const;

    /// Why the text ends with `id`; nullopt when it goes on. Completes the event's text.
    std::optional<StopReason> finishEvent(TokenEvent &event);
    bool endsText(TokenId id) const;
    double seconds() const;
    void deliver(bool now);

    const LoadedModel &m_model;
    SequenceRunner &m_runner;
    const GenerationOptions &m_options;
    const GenerationCallbacks &m_callbacks;
    std::stop_token m_stop;
    std::vector<HeadCollector> m_collectors;
    std::optional<StreamDecoder> m_decoder;
    StopStrings m_stopStrings;
    std::int64_t m_mostTokens;  ///< that the KV cache has room for
    GenerationResult m_result;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

} // namespace lens
