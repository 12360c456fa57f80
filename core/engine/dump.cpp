#include "engine/dump.h"

#include "checkpoint/writer.h"
#include "engine/engine.h"
#include "engine/stopprobe.h"
#include "model/languagemodel.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <c10/core/GradMode.h>
#include <numeric>

namespace lens {

namespace {

std::string layerName(std::int64_t layer, const char *what)
{
    return "layers." + std::to_string(layer) + "." + what;
}

at::Tensor kept(const at::Tensor &value)
{
    const at::Tensor detached = value.detach();
    return detached.is_meta() ? detached : detached.to(at::kCPU, at::kFloat).clone(at::MemoryFormat::Contiguous);
}

/// Keeps what the layers offer under the names of the file.
class DumpProbe final : public StopProbe {
public:
    DumpProbe(std::stop_token stop, const DumpOptions &options, const ModelInfo &info, const ProgressFn &progress)
        : StopProbe(std::move(stop)), m_options(options), m_info(info), m_progress(progress)
    {
    }

    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        m_tensors[layerName(layer, nameOf(kind, layer))] = kept(value);
        if (m_progress)
            m_progress(
                {"running", static_cast<std::uint64_t>(layer + 1), static_cast<std::uint64_t>(m_info.layerCount)});
    }

    NamedTensors take() { return std::move(m_tensors); }

private:
    bool wantsValue(ProbeKind kind, std::int64_t) const override
    {
        switch (kind) {
        case ProbeKind::Attention: return asked(DumpKind::Attention);
        case ProbeKind::MixerOut: return asked(DumpKind::MixerOut);
        case ProbeKind::Hidden: return asked(DumpKind::Hidden);
        case ProbeKind::StateNorm:
        case ProbeKind::Retention:
        case ProbeKind::ZeroFeatures:
        case ProbeKind::MixerIn: return false;
        }
        return false;
    }

    bool asked(DumpKind kind) const { return std::ranges::find(m_options.kinds, kind) != m_options.kinds.end(); }

    const char *nameOf(ProbeKind kind, std::int64_t layer) const
    {
        if (kind == ProbeKind::MixerOut)
            return "attn_out";
        if (kind == ProbeKind::Hidden)
            return "out";
        const auto index = static_cast<std::size_t>(layer);
        const bool softmax = index < m_info.layers.size() && m_info.layers[index].mixer == "softmax";
        return softmax ? "attn" : "linear_attn";
    }

    const DumpOptions &m_options;
    const ModelInfo &m_info;
    const ProgressFn &m_progress;
    NamedTensors m_tensors;
};

bool asked(const DumpOptions &options, DumpKind kind)
{
    return std::ranges::find(options.kinds, kind) != options.kinds.end();
}

/// Everything that layers with a recurrent state keep, under its own names; the matrix S is called "state".
void addStates(const ModelState &state, NamedTensors &tensors)
{
    for (std::size_t layer = 0; layer < state.layerCount(); ++layer) {
        if (state.layer(layer).canTruncate())
            continue;
        for (const auto &[name, tensor] : state.layer(layer).tensors())
            tensors[layerName(static_cast<std::int64_t>(layer), name.c_str())] = kept(tensor);
    }
}

Execution executionOf(const DumpOptions &options)
{
    switch (options.mode) {
    case RunMode::Parallel: return {Execution::Form::Parallel, options.chunk};
    case RunMode::Recurrent: return {Execution::Form::Recurrent, options.chunk};
    case RunMode::Chunked: return {Execution::Form::Chunked, options.chunk};
    }
    return {};
}

Result<NamedTensors> measure(const LanguageModel &model, const ModelInfo &info, const TokenBatch &batch,
                             const DumpOptions &options, std::stop_token stop, const ProgressFn &progress)
{
    return guarded(info.path, [&]() -> Result<NamedTensors> {
        const c10::NoGradGuard noGrad;
        const std::vector<std::int64_t> wide(batch.ids.begin(), batch.ids.end());
        const at::Tensor tokens = at::tensor(wide, at::kLong).view({batch.rows, batch.columns}).to(model.device());
        ModelState state = model.initialState(batch.rows);
        DumpProbe probe(std::move(stop), options, info, progress);
        ForwardOptions forward;
        forward.logits = asked(options, DumpKind::Logits) ? LogitsWanted::All : LogitsWanted::None;
        forward.execution = executionOf(options);
        forward.probe = &probe;
        at::Tensor logits;
        try {
            logits = model.forward(tokens, state, forward);
        } catch (const StopProbe::Stopped &) {
            return fail(ErrorCode::Cancelled, "stopped", info.path);
        }
        NamedTensors tensors = probe.take();
        if (logits.defined())
            tensors["logits"] = kept(logits);
        if (asked(options, DumpKind::State))
            addStates(state, tensors);
        return tensors;
    });
}

/// The ending of the names that belong to a word; states have names of the family's own.
std::vector<std::string> endings(DumpKind kind)
{
    switch (kind) {
    case DumpKind::Logits: return {"logits"};
    case DumpKind::State: return {};
    case DumpKind::Attention: return {".attn", ".linear_attn"};
    case DumpKind::MixerOut: return {".attn_out"};
    case DumpKind::Hidden: return {".out"};
    }
    return {};
}

bool isThere(const NamedTensors &tensors, DumpKind kind, const ModelInfo &info)
{
    if (kind == DumpKind::State)
        return info.stateBytes > 0;
    return std::ranges::any_of(endings(kind), [&](const std::string &ending) {
        return std::ranges::any_of(tensors, [&](const auto &entry) { return entry.first.ends_with(ending); });
    });
}

Result<void> check(const ModelInfo &info, const TokenBatch &batch, const DumpOptions &options)
{
    if (batch.ids.empty() || static_cast<std::int64_t>(batch.ids.size()) != batch.rows * batch.columns)
        return fail(ErrorCode::InvalidArgument, "there are no tokens to run", info.path, "give a text or ids");
    const auto outside = std::ranges::find_if(batch.ids, [&](TokenId id) { return id < 0 || id >= info.vocabulary; });
    if (outside != batch.ids.end())
        return fail(ErrorCode::InvalidArgument, "the id " + std::to_string(*outside) + " is outside the vocabulary",
                    info.path, "ids go from 0 to " + std::to_string(info.vocabulary - 1));
    if (options.mode == RunMode::Chunked && options.chunk < 1)
        return fail(ErrorCode::InvalidArgument, "a chunk needs at least one token", info.path, "give a size from 1 on");
    if (!asked(options, DumpKind::Attention) || info.device == "meta")
        return {};
    const double needed = 4.0 * static_cast<double>(info.layerCount * batch.rows * info.heads) *
                          static_cast<double>(batch.columns) * static_cast<double>(batch.columns);
    const std::uint64_t available = availableDevices().front().availableMemory;
    if (available > 0 && needed > 0.8 * static_cast<double>(available))
        return fail(ErrorCode::LimitExceeded,
                    "the attention matrices of " + std::to_string(batch.columns) + " tokens do not fit into memory",
                    info.path, "take fewer tokens, or leave attention out");
    return {};
}

} // namespace

Result<DumpSummary> dumpTensors(const LoadedModel &model, const TokenBatch &batch, const DumpOptions &options,
                                const std::string &file, std::stop_token stop, const ProgressFn &progress)
{
    const ModelInfo &info = model.info();
    if (const Result<void> fits = check(info, batch, options); !fits)
        return propagate(fits);
    const Result<NamedTensors> tensors = measure(*model.model(), info, batch, options, stop, progress);
    if (!tensors)
        return propagate(tensors);
    if (tensors->empty())
        return fail(ErrorCode::Unsupported, "this model has none of the tensors asked for", info.path,
                    "a softmax model, for example, has no recurrent state");

    DumpSummary summary;
    for (const auto &[name, tensor] : *tensors)
        summary.tensors.push_back({name, tensor.sizes().vec()});
    for (const DumpKind kind : options.kinds) {
        if (!isThere(*tensors, kind, info))
            summary.absent.push_back(kind);
    }
    summary.written = !model.model()->device().is_meta();
    if (summary.written) {
        if (const Result<void> written = writeSafetensors(file, *tensors, {{"model", info.name}}, stop, progress);
            !written)
            return propagate(written);
    }
    return summary;
}

Result<void> writeFloatTables(const std::string &file, const std::vector<FloatTable> &tables,
                              const std::map<std::string, std::string> &metadata)
{
    return guarded(file, [&]() -> Result<void> {
        NamedTensors tensors;
        for (const FloatTable &table : tables) {
            const std::int64_t count =
                std::accumulate(table.shape.begin(), table.shape.end(), std::int64_t{1}, std::multiplies<>());
            if (count != static_cast<std::int64_t>(table.values.size()))
                return fail(ErrorCode::InvalidArgument, "the values do not fill their shape", table.name);
            tensors[table.name] = at::tensor(table.values, at::kFloat).view(table.shape);
        }
        return writeSafetensors(file, tensors, metadata);
    });
}

} // namespace lens
