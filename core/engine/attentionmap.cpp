#include "engine/attentionmath.h"
#include "engine/engine.h"
#include "engine/stopprobe.h"
#include "model/languagemodel.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace lens {

namespace {

constexpr std::int64_t matrixBytes = 256 << 20;

} // namespace

struct AttentionMap::Impl {
    std::int64_t tokens = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::vector<std::string> mixers;    ///< per layer
    std::vector<float> values;          ///< [layer, head, query, key]
    AttentionSummary summary;

    Impl(const ModelInfo &info, std::int64_t tokenCount);

    std::size_t cell(std::int64_t layer, std::int64_t head) const { return static_cast<std::size_t>(layer * heads + head); }
    std::size_t matrixSize() const { return static_cast<std::size_t>(tokens * tokens); }

    /// Probabilities are never rescaled: their rows sum to one already.
    Matrix scaled(std::int64_t layer, std::int64_t head, RowScaling scaling) const;

    void keepAttention(std::int64_t layer, const at::Tensor &value);
    void keepZeroFeatures(std::int64_t layer, const at::Tensor &value);
};

AttentionMap::Impl::Impl(const ModelInfo &info, std::int64_t tokenCount)
    : tokens(tokenCount), layers(info.layerCount), heads(info.heads)
{
    for (const LayerInfo &layer : info.layers)
        mixers.push_back(layer.mixer);
    mixers.resize(static_cast<std::size_t>(layers), info.mixer);
    const std::size_t cells = cell(layers, 0);
    values.assign(cells * matrixSize(), 0.0f);
    const std::vector<float> unknown(cells, std::nanf(""));
    summary = {layers, heads, unknown, unknown, unknown};
}

Matrix AttentionMap::Impl::scaled(std::int64_t layer, std::int64_t head, RowScaling scaling) const
{
    const auto source = std::span(values).subspan(cell(layer, head) * matrixSize(), matrixSize());
    Matrix result{tokens, tokens, {source.begin(), source.end()}};
    if (mixers[static_cast<std::size_t>(layer)] != "softmax")
        scaleRows(result, scaling);
    return result;
}

void AttentionMap::Impl::keepAttention(std::int64_t layer, const at::Tensor &value)
{
    TORCH_CHECK(layer < layers && value.sizes() == at::IntArrayRef({1, heads, tokens, tokens}), "layer ", layer,
                " offers attention of shape ", value.sizes());
    float *to = values.data() + cell(layer, 0) * matrixSize();
    std::copy_n(value.const_data_ptr<float>(), static_cast<std::size_t>(value.numel()), to);
    for (std::int64_t head = 0; head < heads; ++head) {
        const auto matrix = std::span(std::as_const(values)).subspan(cell(layer, head) * matrixSize(), matrixSize());
        const RowStatistics statistics = rowStatistics(matrix, tokens);
        summary.meanDistance[cell(layer, head)] = statistics.meanDistance;
        summary.entropy[cell(layer, head)] = statistics.entropy;
    }
}

void AttentionMap::Impl::keepZeroFeatures(std::int64_t layer, const at::Tensor &value)
{
    // Key heads may be fewer than query heads: each counts for its whole group.
    for (std::int64_t head = 0; head < heads && value.numel() > 0; ++head)
        summary.zeroFeatures[cell(layer, head)] = value.const_data_ptr<float>()[head * value.numel() / heads];
}

namespace {

class AttentionProbe final : public StopProbe {
public:
    using Keep = std::function<void(ProbeKind, std::int64_t, const at::Tensor &)>;

    AttentionProbe(std::stop_token stop, Keep keep) : StopProbe(std::move(stop)), m_keep(std::move(keep)) {}

    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        m_keep(kind, layer, value.to(at::kCPU, at::kFloat).contiguous());
    }

private:
    bool wantsValue(ProbeKind kind, std::int64_t) const override
    {
        return kind == ProbeKind::Attention || kind == ProbeKind::ZeroFeatures;
    }

    Keep m_keep;
};

Result<void> check(const LoadedModel &model, std::span<const TokenId> ids)
{
    const ModelInfo &info = model.info();
    if (ids.empty())
        return fail(ErrorCode::InvalidArgument, "there are no tokens to look at", info.name, "write some text first");
    if (model.model()->device().is_meta())
        return fail(ErrorCode::Unsupported, "a model on the meta device has shapes but no numbers", info.name);
    for (const TokenId id : ids)
        if (id < 0 || id >= info.vocabulary)
            return fail(ErrorCode::InvalidArgument, "token id " + std::to_string(id) + " is outside the vocabulary",
                        info.name, "encode the text with this model's own tokenizer");
    return {};
}

} // namespace

AttentionMap::AttentionMap(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl))
{
}

AttentionMap::~AttentionMap() = default;

Result<std::shared_ptr<const AttentionMap>> AttentionMap::measure(const LoadedModel &model, std::span<const TokenId> ids,
                                                                  std::stop_token stop, const ProgressFn &progress)
{
    ids = ids.first(std::min(ids.size(), static_cast<std::size_t>(attentionLimit(model.info()))));
    if (auto checked = check(model, ids); !checked)
        return propagate(checked);
    return guarded(model.info().name, [&]() -> Result<std::shared_ptr<const AttentionMap>> {
        const c10::NoGradGuard noGrad;
        auto impl = std::make_unique<Impl>(model.info(), static_cast<std::int64_t>(ids.size()));
        AttentionProbe probe(std::move(stop), [&](ProbeKind kind, std::int64_t layer, const at::Tensor &value) {
            if (kind == ProbeKind::ZeroFeatures)
                return impl->keepZeroFeatures(layer, value);
            impl->keepAttention(layer, value);
            if (progress)
                progress({"attention", static_cast<std::uint64_t>(layer + 1), static_cast<std::uint64_t>(impl->layers)});
        });
        ForwardOptions options;
        options.logits = LogitsWanted::None;
        options.execution.form = Execution::Form::Parallel;
        options.probe = &probe;
        ModelState state = model.model()->initialState(1);
        const std::vector<std::int64_t> wide(ids.begin(), ids.end());
        try {
            model.model()->forward(at::tensor(wide, at::kLong).unsqueeze(0).to(model.model()->device()), state, options);
        } catch (const StopProbe::Stopped &) {
            return fail(ErrorCode::Cancelled, "measuring the attention was cancelled");
        }
        return std::shared_ptr<const AttentionMap>(new AttentionMap(std::move(impl)));
    });
}

std::int64_t AttentionMap::tokens() const
{
    return m_impl->tokens;
}

std::int64_t AttentionMap::layers() const
{
    return m_impl->layers;
}

std::int64_t AttentionMap::heads() const
{
    return m_impl->heads;
}

const AttentionSummary &AttentionMap::summary() const
{
    return m_impl->summary;
}

HeadAttention AttentionMap::head(std::int64_t layer, std::int64_t head, RowScaling scaling) const
{
    if (layer < 0 || layer >= layers() || head < 0 || head >= heads())
        return {layer, head, {}, {}};
    return {layer, head, m_impl->mixers[static_cast<std::size_t>(layer)], m_impl->scaled(layer, head, scaling)};
}

Result<AttentionErrors> AttentionMap::errors(const AttentionMap &other, RowScaling scaling) const
{
    if (tokens() != other.tokens())
        return fail(ErrorCode::Mismatch,
                    "one attention map has " + std::to_string(tokens()) + " tokens, the other "
                        + std::to_string(other.tokens()), {}, "measure both models on the same text");
    AttentionErrors result;
    if (layers() != other.layers() || heads() != other.heads())
        return result;
    result.layers = layers();
    result.heads = heads();
    for (std::int64_t layer = 0; layer < layers(); ++layer) {
        for (std::int64_t head = 0; head < heads(); ++head) {
            const MatrixDistance distance =
                matrixDistance(m_impl->scaled(layer, head, scaling), other.m_impl->scaled(layer, head, scaling));
            result.frobenius.push_back(distance.frobenius);
            result.cosine.push_back(distance.cosine);
        }
    }
    return result;
}

std::int64_t attentionLimit(const ModelInfo &info)
{
    const std::int64_t matrices = std::max<std::int64_t>(1, info.layerCount * info.heads);
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::sqrt(static_cast<double>(matrixBytes) / 4
                                                                         / static_cast<double>(matrices))));
}

} // namespace lens
