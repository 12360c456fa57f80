#include "engine/batchsampler.h"

#include "engine/batchdraw.h"
#include "engine/memory.h"
#include "engine/sampler.h"
#include "engine/stopprobe.h"
#include "model/languagemodel.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <algorithm>

namespace lens {

namespace {

/// Tokens of the prompts' common length that are fed in one pass.
constexpr std::int64_t kPrefillTokens = 64;

/// The batch is made narrower when at most this share of its rows still grows: copying the KV cache costs as much as
/// several tokens.
constexpr double kWorthKeeping = 0.75;

tl::unexpected<Error> cancelled()
{
    return fail(ErrorCode::Cancelled, "sampling was cancelled");
}

/// `state` of the batch's rows `kept`, in a state of its own.
Result<ModelState> selectRows(const LanguageModel &model, const ModelState &state, const std::vector<std::int64_t> &kept)
{
    const at::Tensor rows = at::tensor(kept, at::kLong).to(model.device());
    ModelState selected = model.initialState(static_cast<std::int64_t>(kept.size()));
    for (std::size_t layer = 0; layer < state.layerCount(); ++layer) {
        NamedTensors tensors = state.layer(layer).tensors();
        for (auto &[name, tensor] : tensors)
            tensor = tensor.index_select(0, rows);
        if (const Result<void> assigned = selected.layer(layer).assign(tensors); !assigned)
            return propagate(assigned);
    }
    selected.advance(state.position());
    return selected;
}

class Batch {
public:
    Batch(const LoadedModel &model, std::span<const BatchRow> rows, const BatchSamplingOptions &options,
          const BatchSampleFn &finished, std::stop_token stop, const ProgressFn &progress)
        : m_model(model), m_rows(rows), m_options(options), m_finished(finished), m_stop(std::move(stop)),
          m_progress(progress), m_state(model.model()->initialState(static_cast<std::int64_t>(rows.size())))
    {
        for (std::size_t row = 0; row < rows.size(); ++row) {
            m_sequences.push_back({row, {}, false});
            m_total += rows[row].prompt.size() + static_cast<std::size_t>(options.maxTokens);
        }
        const LoadedModel &loaded = model;
        m_usable = loaded.tokenizer() ? std::min<std::int64_t>(static_cast<std::int64_t>(loaded.tokenizer()->size()),
                                                               loaded.info().vocabulary)
                                      : loaded.info().vocabulary;
    }

    Result<void> run()
    {
        Result<at::Tensor> logits = prefill();
        while (logits) {
            if (const Result<void> extended = extend(*logits); !extended)
                return extended;
            if (const Result<void> narrowed = narrow(); !narrowed || m_sequences.empty())
                return narrowed;
            logits = feed(nextColumn());
        }
        return propagate(logits);
    }

private:
    struct Sequence {
        std::size_t row;
        std::vector<TokenId> answer;
        bool isDone;
    };

    const BatchRow &row(const Sequence &sequence) const { return m_rows[sequence.row]; }

    /// Tokens [rows, T] in, logits [rows, V] of the next ones out.
    Result<at::Tensor> feed(const at::Tensor &tokens)
    {
        StopProbe probe(m_stop);
        ForwardOptions options;
        options.logits = LogitsWanted::Last;
        options.probe = &probe;
        try {
            const at::Tensor logits = m_model.model()->forward(tokens.to(m_model.model()->device()), m_state, options);
            report(static_cast<std::size_t>(tokens.numel()));
            return logits.select(1, 0).narrow(1, 0, m_usable);
        } catch (const StopProbe::Stopped &) {
            return cancelled();
        }
    }

    /// The columns in which all rows still are in their prompts.
    Result<at::Tensor> prefill()
    {
        std::size_t common = m_rows.front().prompt.size();
        for (const BatchRow &row : m_rows)
            common = std::min(common, row.prompt.size());
        std::vector<std::int64_t> ids;
        for (const BatchRow &row : m_rows)
            ids.insert(ids.end(), row.prompt.begin(), row.prompt.begin() + static_cast<std::ptrdiff_t>(common));
        const auto columns = static_cast<std::int64_t>(common);
        const at::Tensor tokens = at::tensor(ids, at::kLong).view({-1, columns});
        Result<at::Tensor> logits = cancelled();
        for (std::int64_t begin = 0; begin < columns; begin += kPrefillTokens) {
            logits = feed(tokens.narrow(1, begin, std::min(kPrefillTokens, columns - begin)));
            if (!logits)
                return logits;
        }
        return logits;
    }

    /// Draws a token for each sequence that is past its prompt.
    Result<void> extend(const at::Tensor &logits)
    {
        const auto position = static_cast<std::size_t>(m_state.position());
        std::vector<std::int64_t> places;
        std::vector<Draw> draws;
        for (std::size_t i = 0; i < m_sequences.size(); ++i) {
            const BatchRow &row = this->row(m_sequences[i]);
            if (m_sequences[i].isDone || row.prompt.size() > position)
                continue;
            places.push_back(static_cast<std::int64_t>(i));
            draws.push_back({row.temperature, uniformAt(row.seed, position)});
        }
        if (places.empty())
            return {};
        const at::Tensor wanted = places.size() == m_sequences.size()
                                      ? logits
                                      : logits.index_select(0, at::tensor(places, at::kLong).to(logits.device()));
        const Result<std::vector<TokenId>> drawn = drawTokens(wanted, draws, m_options.topK, m_options.topP);
        if (!drawn)
            return propagate(drawn);
        for (std::size_t i = 0; i < places.size(); ++i)
            if (const Result<void> added = add(m_sequences[static_cast<std::size_t>(places[i])], (*drawn)[i]); !added)
                return added;
        return {};
    }

    Result<void> add(Sequence &sequence, TokenId id)
    {
        sequence.answer.push_back(id);
        const bool ends = endsText(id);
        if (!ends && static_cast<std::int64_t>(sequence.answer.size()) < m_options.maxTokens)
            return {};
        sequence.isDone = true;
        return m_finished({sequence.row, std::move(sequence.answer),
                           ends ? StopReason::EndOfText : StopReason::MaxTokens});
    }

    bool endsText(TokenId id) const
    {
        if (!m_model.tokenizer())
            return false;
        const SpecialTokens &special = m_model.tokenizer()->special();
        return special.eos == id || std::ranges::find(special.endOfGeneration, id) != special.endOfGeneration.end();
    }

    /// Drops sequences that are done when that pays.
    Result<void> narrow()
    {
        std::vector<std::int64_t> kept;
        for (std::size_t i = 0; i < m_sequences.size(); ++i)
            if (!m_sequences[i].isDone)
                kept.push_back(static_cast<std::int64_t>(i));
        const bool pays = static_cast<double>(kept.size()) <= kWorthKeeping * static_cast<double>(m_sequences.size());
        if (!pays && !kept.empty())
            return {};
        std::erase_if(m_sequences, [](const Sequence &sequence) { return sequence.isDone; });
        if (kept.empty())
            return {};
        Result<ModelState> selected = selectRows(*m_model.model(), m_state, kept);
        if (!selected)
            return propagate(selected);
        m_state = std::move(*selected);
        return {};
    }

    at::Tensor nextColumn() const
    {
        const auto position = static_cast<std::size_t>(m_state.position());
        std::vector<std::int64_t> ids;
        for (const Sequence &sequence : m_sequences) {
            const std::vector<TokenId> &prompt = row(sequence).prompt;
            // What a sequence that is done is fed does not matter: nobody looks at it any more.
            ids.push_back(sequence.isDone ? prompt.front()
                          : position < prompt.size() ? prompt[position]
                                                     : sequence.answer.back());
        }
        return at::tensor(ids, at::kLong).unsqueeze(1);
    }

    void report(std::size_t tokens)
    {
        m_done += tokens;
        if (m_progress)
            m_progress({"sampling", m_done, m_total});
    }

    const LoadedModel &m_model;
    std::span<const BatchRow> m_rows;
    const BatchSamplingOptions &m_options;
    const BatchSampleFn &m_finished;
    std::stop_token m_stop;
    const ProgressFn &m_progress;
    ModelState m_state;
    std::vector<Sequence> m_sequences;
    std::int64_t m_usable = 0;
    std::size_t m_done = 0;
    std::size_t m_total = 0;
};

Result<void> check(const LoadedModel &model, std::span<const BatchRow> rows, const BatchSamplingOptions &options)
{
    if (options.maxTokens < 1)
        return fail(ErrorCode::InvalidArgument, "no tokens are to be sampled", model.info().name);
    if (model.model()->device().is_meta())
        return fail(ErrorCode::Unsupported, "a model on the meta device has shapes but no numbers", model.info().name,
                    "load it on another device to sample text");
    std::size_t longest = 0;
    for (const BatchRow &row : rows) {
        SamplingOptions sampling;
        sampling.temperature = row.temperature;
        sampling.topK = options.topK;
        sampling.topP = options.topP;
        if (const Result<void> valid = checkSampling(sampling, model.info().vocabulary); !valid)
            return valid;
        if (row.prompt.empty())
            return fail(ErrorCode::InvalidArgument, "a prompt has no tokens", model.info().name, "write some text first");
        for (const TokenId id : row.prompt)
            if (id < 0 || id >= model.info().vocabulary)
                return fail(ErrorCode::InvalidArgument, "token id " + std::to_string(id) + " is outside the vocabulary",
                            model.info().name, "encode the text with this model's own tokenizer");
        longest = std::max(longest, row.prompt.size());
    }
    const std::uint64_t tokens = longest + static_cast<std::uint64_t>(options.maxTokens);
    const std::uint64_t needed = rows.size() * (tokens * model.info().kvBytesPerToken + model.info().stateBytes);
    const std::uint64_t available = freeMemory(model.info().device);
    if (available > 0 && needed > available)
        return fail(ErrorCode::OutOfMemory,
                    "the states of " + std::to_string(rows.size()) + " sequences need " + std::to_string(needed >> 20) +
                        " MiB, " + std::to_string(available >> 20) + " MiB are free",
                    model.info().name, "sample fewer sequences at once, or shorter ones");
    return {};
}

} // namespace

Result<void> sampleBatch(const LoadedModel &model, std::span<const BatchRow> rows, const BatchSamplingOptions &options,
                         const BatchSampleFn &finished, std::stop_token stop, const ProgressFn &progress)
{
    if (rows.empty())
        return {};
    if (const Result<void> valid = check(model, rows, options); !valid)
        return valid;
    return guarded(model.info().name, [&]() -> Result<void> {
        const c10::NoGradGuard noGrad;
        return Batch(model, rows, options, finished, std::move(stop), progress).run();
    });
}

} // namespace lens
