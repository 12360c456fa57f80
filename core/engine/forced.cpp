#include "engine/engine.h"
#include "engine/stopprobe.h"
#include "model/languagemodel.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <algorithm>

namespace lens {

namespace {

/// Logits held at a time, per model: they would be gigabytes for a long text.
constexpr std::int64_t logitBytes = 16 << 20;

/// One of the two models on its way through the text.
class ForcedModel {
public:
    ForcedModel(const LanguageModel &model, std::stop_token stop)
        : m_model(model), m_state(model.initialState(1)), m_probe(std::move(stop))
    {
    }

    /// float32 log probabilities [T, V] for `tokens` [1, T].
    at::Tensor logProbs(const at::Tensor &tokens)
    {
        ForwardOptions options;
        options.probe = &m_probe;
        const at::Tensor logits = m_model.forward(tokens.to(m_model.device()), m_state, options);
        return at::log_softmax(logits[0], -1, at::kFloat);
    }

private:
    const LanguageModel &m_model;
    ModelState m_state;
    StopProbe m_probe;
};

template <class Value>
void append(std::vector<Value> &to, const at::Tensor &values, at::ScalarType type)
{
    const at::Tensor flat = values.to(at::kCPU, type).contiguous();
    const auto *data = static_cast<const Value *>(flat.const_data_ptr());
    to.insert(to.end(), data, data + flat.numel());
}

/// Both distributions [T, V] against each other and against what came next, `targets` [T].
void appendComparison(ForcedComparison &result, const at::Tensor &first, const at::Tensor &second, const at::Tensor &targets)
{
    const at::Tensor nextFirst = targets.to(first.device()).unsqueeze(1);
    append<float>(result.nllFirst, -first.gather(1, nextFirst), at::kFloat);
    append<float>(result.nllSecond, -second.gather(1, nextFirst), at::kFloat);
    // Rounding may push a divergence of zero just below it.
    append<float>(result.kl, (first.exp() * (first - second)).sum(-1).clamp_min(0), at::kFloat);
    append<std::uint8_t>(result.sameTop, first.argmax(-1) == second.argmax(-1), at::kByte);
}

Result<void> check(const LoadedModel &first, const LoadedModel &second, std::span<const TokenId> ids)
{
    const std::int64_t vocabulary = first.info().vocabulary;
    if (vocabulary != second.info().vocabulary)
        return fail(ErrorCode::Mismatch,
                    "the vocabularies have " + std::to_string(vocabulary) + " and "
                        + std::to_string(second.info().vocabulary) + " tokens",
                    first.info().name + " and " + second.info().name, "compare models that share a tokenizer");
    if (first.model()->device().is_meta() || second.model()->device().is_meta())
        return fail(ErrorCode::Unsupported, "a model on the meta device has shapes but no numbers", first.info().name);
    for (const TokenId id : ids)
        if (id < 0 || id >= vocabulary)
            return fail(ErrorCode::InvalidArgument, "token id " + std::to_string(id) + " is outside the vocabulary",
                        first.info().name, "encode the text with this model's own tokenizer");
    return {};
}

} // namespace

Result<ForcedComparison> compareForced(const LoadedModel &first, const LoadedModel &second, std::span<const TokenId> ids,
                                       std::stop_token stop, const ProgressFn &progress)
{
    if (auto checked = check(first, second, ids); !checked)
        return propagate(checked);
    return guarded(first.info().name + " and " + second.info().name, [&]() -> Result<ForcedComparison> {
        const c10::NoGradGuard noGrad;
        ForcedComparison result;
        const std::vector<std::int64_t> wide(ids.begin(), ids.end());
        const auto total = static_cast<std::int64_t>(ids.size()) - 1;
        const std::int64_t chunk =
            std::clamp<std::int64_t>(logitBytes / (4 * std::max<std::int64_t>(1, first.info().vocabulary)), 16, 256);
        try {
            ForcedModel one(*first.model(), stop), other(*second.model(), stop);
            for (std::int64_t start = 0; start < total; start += chunk) {
                const std::int64_t count = std::min(chunk, total - start);
                const at::Tensor window = at::tensor(at::ArrayRef(wide).slice(start, count + 1), at::kLong);
                const at::Tensor inputs = window.narrow(0, 0, count).unsqueeze(0);
                const at::Tensor a = one.logProbs(inputs);
                appendComparison(result, a, other.logProbs(inputs).to(a.device()), window.narrow(0, 1, count));
                if (progress)
                    progress({"comparing", static_cast<std::uint64_t>(start + count), static_cast<std::uint64_t>(total)});
            }
        } catch (const StopProbe::Stopped &) {
            return fail(ErrorCode::Cancelled, "the comparison was cancelled");
        }
        return result;
    });
}

} // namespace lens
