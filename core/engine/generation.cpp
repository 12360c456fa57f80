#include "engine/generation.h"

#include "base/coreshare.h"
#include "engine/memory.h"
#include "engine/sampler.h"
#include "engine/tokentext.h"

#include <algorithm>

namespace lens {

Generation::Generation(const LoadedModel &model, SequenceRunner &runner, const GenerationOptions &options,
                       const GenerationCallbacks &callbacks, std::stop_token stop, std::optional<ChooseOn> where)
    : m_model(model)
    , m_runner(runner)
    , m_options(options)
    , m_callbacks(callbacks)
    , m_stop(std::move(stop))
    , m_chooseOn(where.value_or(placeToChoose(runner.device())))
    , m_stopStrings(options.stopStrings)
    , m_mostTokens(mostTokensInMemory(model.info(), static_cast<std::int64_t>(runner.ids().size())))
{
    const auto &layers = model.info().layers;
    const bool hasState = std::ranges::any_of(layers, [](const LayerInfo &layer) { return layer.mixer != "softmax"; });
    if (callbacks.stateNorms && hasState)
        m_collectors.emplace_back(HeadQuantity::StateNorm, model.info(), callbacks.stateNorms);
    if (callbacks.retention && hasRetention(model.info()))
        m_collectors.emplace_back(HeadQuantity::Retention, model.info(), callbacks.retention);
    if (model.tokenizer())
        m_decoder.emplace(model.tokenizer());
}

Result<GenerationResult> Generation::run(std::span<const TokenId> prompt)
{
    if (auto checked = check(prompt); !checked)
        return propagate(checked);
    const CoreShare share;
    m_runner.usePlainPath(m_options.plainPath);
    m_result.promptIds.assign(prompt.begin(), prompt.end());
    const auto fed = prefill(prompt);
    m_result.prefillSeconds = seconds();
    if (!fed)
        return propagate(fed);

    // The decoder sees the prompt's end, so that a first piece inside a text keeps its leading space.
    if (m_decoder)
        m_decoder->push(prompt.back());

    m_result.reason = StopReason::Cancelled;
    if (*fed == Fed::All) {
        m_runner.takeSnapshot(true);
        const auto reason = decode();
        if (!reason)
            return propagate(reason);
        m_result.reason = *reason;
    }
    // Only cancelling and a full context leave text held back: every other end comes with a token that carries it.
    if (m_decoder)
        m_result.text += m_stopStrings.push(m_decoder->finish());
    m_result.text += m_stopStrings.finish();
    m_runner.takeSnapshot(true);
    deliver(true);
    m_result.stateBytes = m_runner.state().bytes();
    return std::move(m_result);
}

Result<void> Generation::check(std::span<const TokenId> prompt) const
{
    const std::int64_t vocabulary = m_model.info().vocabulary;
    if (prompt.empty())
        return fail(ErrorCode::InvalidArgument, "the prompt has no tokens", m_model.info().name, "write some text first");
    for (std::size_t i = 0; i < prompt.size(); ++i)
        if (prompt[i] < 0 || prompt[i] >= vocabulary)
            return fail(ErrorCode::InvalidArgument,
                        "token id " + std::to_string(prompt[i]) + " is outside the vocabulary of "
                            + std::to_string(vocabulary),
                        "prompt token " + std::to_string(i), "encode the text with this model's own tokenizer");
    if (m_model.model()->device().is_meta())
        return fail(ErrorCode::Unsupported, "a model on the meta device has shapes but no numbers", m_model.info().name,
                    "load it on another device to generate text");
    if (static_cast<std::int64_t>(prompt.size()) > m_mostTokens)
        return fail(ErrorCode::OutOfMemory,
                    "the KV cache of " + std::to_string(prompt.size()) + " tokens does not fit into the memory that is free",
                    m_model.info().name, "use a shorter prompt, or a linear model, whose state does not grow");
    return checkSampling(m_options.sampling, vocabulary);
}

Result<Fed> Generation::prefill(std::span<const TokenId> prompt)
{
    const auto reused = m_runner.rewind(prompt);
    if (!reused)
        return propagate(reused);
    m_result.reusedTokens = *reused;
    auto done = static_cast<std::size_t>(*reused);
    const auto report = [&] {
        if (m_callbacks.progress)
            m_callbacks.progress({"prefill", done, prompt.size()});
    };
    report();
    while (done < prompt.size()) {
        const std::size_t count = std::min(prefillChunk, prompt.size() - done);
        const bool last = done + count == prompt.size();
        const auto fed = m_runner.feed(prompt.subspan(done, count), last, m_collectors, m_stop);
        if (!fed || *fed == Fed::Stopped)
            return fed;
        deliver(true);
        done += count;
        report();
    }
    return Fed::All;
}

Result<StopReason> Generation::decode()
{
    // Ids that text may be made of: an embedding padded beyond the tokenizer has rows that mean nothing.
    const std::size_t vocabulary = m_runner.logits()->size();
    const std::size_t usable = m_model.tokenizer() ? std::min(vocabulary, m_model.tokenizer()->size()) : vocabulary;
    const auto decoding = makeDecoding(m_chooseOn, {m_runner, m_options.sampling, static_cast<std::int64_t>(usable),
                                                    std::max(0, m_options.alternatives), m_collectors, m_stop});
    return decode(*decoding);
}

Result<StopReason> Generation::decode(Decoding &decoding)
{
    while (static_cast<std::int64_t>(m_result.ids.size()) < m_options.maxTokens) {
        if (m_stop.stop_requested())
            return StopReason::Cancelled;
        const auto position = static_cast<std::int64_t>(m_runner.ids().size());
        const auto chosen = decoding.next(isLast(position));
        if (!chosen)
            return propagate(chosen);

        TokenEvent event = describe(*chosen);
        event.position = position;
        m_result.ids.push_back(event.id);
        const auto reason = finishEvent(event);
        m_result.text += event.text;
        event.seconds = seconds();
        if (m_result.ids.size() == 1)
            m_result.firstTokenSeconds = event.seconds;
        m_result.decodeSeconds = event.seconds - m_result.firstTokenSeconds;
        if (m_callbacks.token)
            m_callbacks.token(event);
        if (reason)
            return *reason;

        const auto fed = decoding.keep();
        if (!fed)
            return propagate(fed);
        if (*fed == Fed::Stopped)
            return StopReason::Cancelled;
        deliver(false);
    }
    return StopReason::MaxTokens;
}

/// Whether the token at `position` ends the text whatever it is.
bool Generation::isLast(std::int64_t position) const
{
    const std::int64_t generated = position + 1 - static_cast<std::int64_t>(m_result.promptIds.size());
    return generated >= m_options.maxTokens || position + 1 >= m_mostTokens;
}

TokenEvent Generation::describe(const ChosenToken &chosen) const
{
    TokenEvent event;
    event.id = chosen.id;
    event.logprob = chosen.logprob;
    event.stateBytes = chosen.stateBytes;
    for (const auto &[id, logprob] : chosen.alternatives)
        event.alternatives.push_back({id, tokenText(m_model.tokenizer().get(), id), logprob});
    return event;
}

std::optional<StopReason> Generation::finishEvent(TokenEvent &event)
{
    if (m_decoder)
        event.text = m_stopStrings.push(m_decoder->push(event.id));
    std::optional<StopReason> reason;
    if (m_stopStrings.stopped())
        return StopReason::StopString;
    if (!m_options.ignoreEndOfText && endsText(event.id))
        reason = StopReason::EndOfText;
    else if (isLast(event.position))
        reason = static_cast<std::int64_t>(m_result.ids.size()) >= m_options.maxTokens ? StopReason::MaxTokens
                                                                                       : StopReason::ContextFull;
    if (reason) {
        if (m_decoder)
            event.text += m_stopStrings.push(m_decoder->finish());
        event.text += m_stopStrings.finish();
    }
    return reason;
}

bool Generation::endsText(TokenId id) const
{
    if (!m_model.tokenizer())
        return false;
    const SpecialTokens &special = m_model.tokenizer()->special();
    return special.eos == id || std::ranges::find(special.endOfGeneration, id) != special.endOfGeneration.end();
}

void Generation::deliver(bool now)
{
    for (HeadCollector &collector : m_collectors)
        collector.deliver(now);
}

double Generation::seconds() const
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
}

} // namespace lens
