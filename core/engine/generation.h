// One call of DecodeSession::generate: prefill, then choose, report and feed token after token.
#pragma once

#include "engine/decoding.h"
#include "engine/engine.h"
#include "engine/headcollector.h"
#include "engine/stopstrings.h"

#include <chrono>

namespace lens {

class Generation {
public:
    /// Tokens of a prompt fed in one pass: so many that a layer's numbers stay in a core's own cache. Fixed, since other
    /// sizes would round differently and the same seed shall give the same text; a stop request is heeded between layers,
    /// so larger models need no smaller chunks.
    static constexpr std::size_t prefillChunk = 256;

    /// Tokens are chosen where the model suggests, unless `where` says otherwise.
    Generation(const LoadedModel &model, SequenceRunner &runner, const GenerationOptions &options,
               const GenerationCallbacks &callbacks, std::stop_token stop, std::optional<ChooseOn> where = {});

    Result<GenerationResult> run(std::span<const TokenId> prompt);

private:
    Result<void> check(std::span<const TokenId> prompt) const;
    Result<Fed> prefill(std::span<const TokenId> prompt);
    Result<StopReason> decode();
    Result<StopReason> decode(Decoding &decoding);
    bool isLast(std::int64_t position) const;
    TokenEvent describe(const ChosenToken &chosen) const;

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
    ChooseOn m_chooseOn;
    std::vector<HeadCollector> m_collectors;
    std::optional<StreamDecoder> m_decoder;
    StopStrings m_stopStrings;
    std::int64_t m_mostTokens;  ///< that the KV cache has room for
    GenerationResult m_result;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

} // namespace lens
