#include "cli/probetables.h"

#include "cli/comparison.h"
#include "cli/format.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lens::cli {

namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

class Measurement {
public:
    Measurement(const ProbeRequest &request, std::stop_token stop, const ProgressFn &progress)
        : m_request(request), m_stop(std::move(stop)), m_progress(progress)
    {
    }

    Result<ProbeReport> run();

private:
    bool wanted(const char *kind) const
    {
        return m_request.kinds.empty() || std::ranges::find(m_request.kinds, kind) != m_request.kinds.end();
    }
    bool isRecurrent() const
    {
        return std::ranges::any_of(m_request.model->info().layers,
                                   [](const LayerInfo &layer) { return layer.mixer != "softmax"; });
    }
    void addPerHead(const char *kind, const char *unit, std::int64_t layers, std::int64_t heads,
                    std::vector<float> values)
    {
        // What the family does not have is left out, not listed as nothing.
        if (std::ranges::all_of(values, [](float value) { return std::isnan(value); }))
            return;
        m_report.tables.push_back({kind, unit, {"layer", "head"}, {kind, {layers, heads}, std::move(values)}});
    }
    void addPerToken(const char *kind, const char *unit, std::vector<float> values)
    {
        const auto count = static_cast<std::int64_t>(values.size());
        m_report.tables.push_back({kind, unit, {"token"}, {kind, {count}, std::move(values)}});
    }

    Result<void> overTime();
    void addPerToken(const char *kind, const char *unit, HeadFrame frame);
    void decay();
    Result<void> attention();
    Result<void> kl();

    const ProbeRequest &m_request;
    std::stop_token m_stop;
    const ProgressFn &m_progress;
    ProbeReport m_report;
};

void Measurement::addPerToken(const char *kind, const char *unit, HeadFrame frame)
{
    frame.tokens = std::min(frame.tokens, static_cast<std::int64_t>(m_request.ids.size()));
    frame.values.resize(static_cast<std::size_t>(frame.tokens * frame.layers * frame.heads));
    m_report.tables.push_back({kind,
                               unit,
                               {"token", "layer", "head"},
                               {kind, {frame.tokens, frame.layers, frame.heads}, std::move(frame.values)}});
}

/// State norms, and what each token's decay leaves of them, in one pass.
Result<void> Measurement::overTime()
{
    Result<std::unique_ptr<DecodeSession>> session = DecodeSession::create(m_request.model);
    if (!session)
        return propagate(session);
    HeadFrame norms, retention;
    GenerationCallbacks callbacks;
    callbacks.progress = m_progress;
    if (wanted("state_norm"))
        callbacks.stateNorms = [&norms](const HeadFrame &more) { append(norms, more); };
    if (wanted("retention"))
        callbacks.retention = [&retention](const HeadFrame &more) { append(retention, more); };
    GenerationOptions options;
    options.maxTokens = 1;
    options.alternatives = 0;
    const Result<GenerationResult> result = (*session)->generate(m_request.ids, options, callbacks, m_stop);
    if (!result)
        return propagate(result);
    if (result->reason == StopReason::Cancelled)
        return fail(ErrorCode::Cancelled, "stopped", "state norms");
    if (norms.tokens > 0)
        addPerToken("state_norm", "Frobenius norm", std::move(norms));
    if (retention.tokens > 0)
        addPerToken("retention", "share of the norm", std::move(retention));
    return {};
}

void Measurement::decay()
{
    const ModelInfo &info = m_request.model->info();
    std::vector<float> gammas, halfLives;
    for (const LayerInfo &layer : info.layers) {
        for (std::size_t head = 0; head < static_cast<std::size_t>(info.heads); ++head) {
            const double gamma = head < layer.gamma.size() ? layer.gamma[head] : none;
            gammas.push_back(static_cast<float>(gamma));
            halfLives.push_back(static_cast<float>(std::log(0.5) / std::log(gamma)));
        }
    }
    // Without decay the logarithm is a negative zero's neighbour: the half-life is infinite, not minus infinity.
    std::ranges::transform(halfLives, halfLives.begin(),
                           [](float value) { return std::isinf(value) ? std::abs(value) : value; });
    const auto layers = static_cast<std::int64_t>(info.layers.size());
    addPerHead("gamma", "per token", layers, info.heads, std::move(gammas));
    addPerHead("half_life", "tokens", layers, info.heads, std::move(halfLives));
    std::vector<float> channels;
    for (const LayerInfo &layer : info.layers)
        channels.insert(channels.end(), layer.channelGamma.begin(), layer.channelGamma.end());
    if (const auto perHead = static_cast<std::int64_t>(channels.size()) / std::max<std::int64_t>(1, layers * info.heads); perHead > 0)
        m_report.tables.push_back({"channel_gamma", "per token", {"layer", "head", "channel"},
                                   {"channel_gamma", {layers, info.heads, perHead}, std::move(channels)}});
}

Result<void> Measurement::attention()
{
    std::int64_t tokens = attentionLimit(m_request.model->info());
    if (m_request.against)
        tokens = std::min(tokens, attentionLimit(m_request.against->info()));
    const auto all = static_cast<std::int64_t>(m_request.ids.size());
    if (tokens < all)
        m_report.notes.push_back("attention is measured on the first " + std::to_string(tokens) + " of " +
                                 std::to_string(all) + " tokens");
    const auto ids = std::span(m_request.ids).first(static_cast<std::size_t>(std::min(tokens, all)));
    const Result<std::shared_ptr<const AttentionMap>> own =
        AttentionMap::measure(*m_request.model, ids, m_stop, m_progress);
    if (!own)
        return propagate(own);
    if (wanted("attention")) {
        const AttentionSummary &summary = (*own)->summary();
        addPerHead("attention_distance", "tokens", summary.layers, summary.heads, summary.meanDistance);
        addPerHead("attention_entropy", "bits", summary.layers, summary.heads, summary.entropy);
        addPerHead("zero_features", "share", summary.layers, summary.heads, summary.zeroFeatures);
    }
    if (!wanted("fidelity") || !m_request.against)
        return {};
    const Result<std::shared_ptr<const AttentionMap>> other =
        AttentionMap::measure(*m_request.against, ids, m_stop, m_progress);
    if (!other)
        return propagate(other);
    const Result<AttentionErrors> errors = (*other)->errors(**own, m_request.scaling);
    if (!errors)
        return propagate(errors);
    addPerHead("attention_frobenius_error", "relative", errors->layers, errors->heads, errors->frobenius);
    addPerHead("attention_cosine_error", "1 - cosine", errors->layers, errors->heads, errors->cosine);
    return {};
}

Result<void> Measurement::kl()
{
    if (m_request.ids.size() < 2) {
        m_report.notes.push_back("KL needs two tokens or more");
        return {};
    }
    const Result<ForcedComparison> forced =
        compareForced(*m_request.against, *m_request.model, m_request.ids, m_stop, m_progress);
    if (!forced)
        return propagate(forced);
    addPerToken("kl", "nats", forced->kl);
    addPerToken("nll", "nats", forced->nllSecond);
    addPerToken("nll_against", "nats", forced->nllFirst);
    return {};
}

Result<ProbeReport> Measurement::run()
{
    m_report.model = m_request.model->info().path;
    m_report.against = m_request.against ? m_request.against->info().path : "";
    m_report.ids = m_request.ids;
    if (const TokenizerPtr &tokenizer = m_request.model->tokenizer()) {
        for (const TokenId id : m_request.ids)
            m_report.pieces.push_back(tokenizer->piece(id));
    }
    for (const char *kind : {"state_norm", "decay"}) {
        if (!m_request.kinds.empty() && wanted(kind) && !isRecurrent())
            m_report.notes.push_back(std::string("a softmax model has no ") + kind);
    }
    for (const char *kind : {"fidelity", "kl"}) {
        if (!m_request.kinds.empty() && wanted(kind) && !m_request.against)
            m_report.notes.push_back(std::string(kind) + " needs --against MODEL");
    }
    Result<void> done;
    for (const Undefined &missing : m_request.model->info().undefined)
        m_report.notes.push_back("no " + missing.quantity + ": not defined for this family, because " + missing.reason);
    if (isRecurrent() && (wanted("state_norm") || (wanted("retention") && hasRetention(m_request.model->info()))))
        done = overTime();
    if (done && wanted("decay") && isRecurrent())
        decay();
    if (done && (wanted("attention") || (wanted("fidelity") && m_request.against)))
        done = attention();
    if (done && wanted("kl") && m_request.against)
        done = kl();
    if (!done)
        return propagate(done);
    if (m_report.tables.empty())
        return fail(ErrorCode::Unsupported, "nothing of what was asked for can be measured", m_report.model,
                    m_report.notes.empty() ? "choose other kinds" : m_report.notes.front());
    return std::move(m_report);
}

/// The position on every axis of the n-th value.
std::vector<std::int64_t> positions(std::size_t index, const std::vector<std::int64_t> &shape)
{
    std::vector<std::int64_t> result(shape.size());
    auto rest = static_cast<std::int64_t>(index);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        result[axis] = rest % shape[axis];
        rest /= shape[axis];
    }
    return result;
}

Json nested(const FloatTable &table, std::size_t axis, std::size_t &next)
{
    if (axis == table.shape.size())
        return number(table.values[next++]);
    Json list = Json::array();
    for (std::int64_t i = 0; i < table.shape[axis]; ++i)
        list.push_back(nested(table, axis + 1, next));
    return list;
}

} // namespace

std::vector<std::string> probeKinds()
{
    return {"state_norm", "decay", "retention", "attention", "fidelity", "kl"};
}

Result<ProbeReport> measure(const ProbeRequest &request, std::stop_token stop, const ProgressFn &progress)
{
    return Measurement(request, std::move(stop), progress).run();
}

std::string toCsv(const ProbeReport &report)
{
    std::string text = "kind,token,layer,head,channel,value\n";
    for (const ProbeTable &table : report.tables) {
        for (std::size_t i = 0; i < table.table.values.size(); ++i) {
            const float value = table.table.values[i];
            if (std::isnan(value))
                continue;
            const std::vector<std::int64_t> at = positions(i, table.table.shape);
            text += table.kind;
            for (const char *axis : {"token", "layer", "head", "channel"}) {
                const auto place = std::ranges::find(table.axes, axis);
                text += ",";
                if (place != table.axes.end())
                    text += std::to_string(at[static_cast<std::size_t>(place - table.axes.begin())]);
            }
            text += "," + (std::isinf(value) ? std::string(value > 0 ? "inf" : "-inf") : number(value).dump()) + "\n";
        }
    }
    return text;
}

Json toJson(const ProbeReport &report)
{
    Json tables = Json::object();
    for (const ProbeTable &table : report.tables) {
        std::size_t next = 0;
        tables[table.kind] = {{"unit", table.unit},
                              {"axes", table.axes},
                              {"shape", table.table.shape},
                              {"values", nested(table.table, 0, next)}};
    }
    return {{"model", report.model}, {"against", report.against.empty() ? Json() : Json(report.against)},
            {"ids", report.ids},     {"pieces", report.pieces},
            {"notes", report.notes}, {"tables", std::move(tables)}};
}

std::vector<FloatTable> plainTables(const ProbeReport &report)
{
    std::vector<FloatTable> tables;
    for (const ProbeTable &table : report.tables)
        tables.push_back(table.table);
    return tables;
}

std::string overview(const ProbeReport &report)
{
    std::vector<std::vector<std::string>> rows = {{"table", "unit", "shape", "mean", "smallest", "largest"}};
    for (const ProbeTable &table : report.tables) {
        double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
        std::size_t count = 0;
        for (const float value : table.table.values) {
            if (std::isnan(value))
                continue;
            sum += value;
            low = std::min<double>(low, value);
            high = std::max<double>(high, value);
            ++count;
        }
        std::string shape;
        for (std::size_t i = 0; i < table.axes.size(); ++i)
            shape += (i > 0 ? " x " : "") + std::to_string(table.table.shape[i]) + " " + table.axes[i] + "s";
        rows.push_back({table.kind, table.unit, shape, significant(count > 0 ? sum / static_cast<double>(count) : none),
                        significant(low), significant(high)});
    }
    return table(rows);
}

} // namespace lens::cli
