#include "uptrain/runlog.h"

#include "checkpoint/writer.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN.
Json number(double value)
{
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json numbers(const std::vector<float> &values)
{
    Json list = Json::array();
    for (const float value : values)
        list.push_back(number(value));
    return list;
}

std::string line(const Json &json)
{
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The lines of an older log whose step is not after `upTo`.
std::string keptLines(const std::filesystem::path &file, std::int64_t upTo)
{
    std::ifstream stream(file);
    std::string kept, text;
    while (std::getline(stream, text)) {
        const Json json = Json::parse(text, nullptr, false);
        if (json.is_object() && json.contains("step") && json["step"].is_number_integer() && json["step"].get<std::int64_t>() <= upTo)
            kept += text + "\n";
    }
    return kept;
}

/// The members of a line; what is missing or of the wrong type takes its default, null is no number.
class Line {
public:
    explicit Line(const Json &json) : m_json(json) {}

    std::int64_t whole(const char *key) const { return holds(key, &Json::is_number_integer) ? m_json[key].get<std::int64_t>() : 0; }
    bool truth(const char *key) const { return holds(key, &Json::is_boolean) && m_json[key].get<bool>(); }
    std::string text(const char *key) const { return holds(key, &Json::is_string) ? m_json[key].get<std::string>() : std::string(); }
    double number(const char *key) const { return m_json.contains(key) ? value(m_json[key]) : 0; }

    std::vector<float> numbers(const char *key) const
    {
        std::vector<float> values;
        if (holds(key, &Json::is_array))
            for (const Json &item : m_json[key])
                values.push_back(static_cast<float>(value(item)));
        return values;
    }

private:
    static double value(const Json &json) { return json.is_number() ? json.get<double>() : std::nan(""); }
    bool holds(const char *key, bool (Json::*isType)() const noexcept) const
    {
        return m_json.contains(key) && (m_json[key].*isType)();
    }

    const Json &m_json;
};

template <class T>
void tell(const std::function<void(const T &)> &listener, const T &metrics)
{
    if (listener)
        listener(metrics);
}

/// Those whose numbers are as many as their layers and heads; without held-out text no activations are measured.
void tellOfLayers(const TrainingListener &listener, const LayerMetrics &metrics)
{
    const std::size_t layers = metrics.outputError.size(), activations = metrics.largestActivation.size();
    const bool counted = metrics.layers >= 0 && static_cast<std::size_t>(metrics.layers) == layers
                         && (activations == 0 || activations == layers);
    const bool byHead = layers == 0 ? metrics.headFidelity.empty()
                                    : metrics.headFidelity.size() % layers == 0 && metrics.heads >= 0
                                          && metrics.headFidelity.size() / layers == static_cast<std::size_t>(metrics.heads);
    if (counted && byHead)
        tell(listener.layers, metrics);
}

} // namespace

Result<void> replayRunLog(const std::filesystem::path &file, const TrainingListener &listener)
{
    std::ifstream stream(file);
    if (!stream)
        return fail(ErrorCode::NotFound, "there is no log of a run", file.string());
    std::string text;
    while (std::getline(stream, text)) {
        const Json json = Json::parse(text, nullptr, false);
        if (!json.is_object())
            continue;
        const Line line(json);
        const std::string kind = line.text("kind");
        const std::int64_t step = line.whole("step");
        if (kind == "step")
            tell(listener.step, StepMetrics{step, line.whole("stage"), line.number("loss"), line.number("gradient_norm"),
                                            line.number("learning_rate"), line.whole("tokens"), line.number("seconds"),
                                            line.number("tokens_per_second"), line.truth("skipped")});
        else if (kind == "evaluation")
            tell(listener.evaluation, EvaluationMetrics{step, line.whole("tokens"), line.number("perplexity"),
                                                        line.number("original_perplexity")});
        else if (kind == "layers")
            tellOfLayers(listener, LayerMetrics{step, line.whole("layers"), line.whole("heads"), line.numbers("largest_activation"),
                                                line.numbers("output_error"), line.numbers("head_fidelity")});
        else if (kind == "sample")
            tell(listener.sample, SampleMetrics{step, line.text("prompt"), line.text("text"), line.text("original_text")});
        else if (kind == "notice")
            tell(listener.notice, TrainingNotice{step, line.text("text")});
    }
    return {};
}

Result<RunLog> RunLog::open(const std::filesystem::path &file, const TrainingListener &listener, std::int64_t upTo)
{
    if (auto written = writeFileAtomically(file, keptLines(file, upTo)); !written)
        return propagate(written);
    auto lines = LineAppender::open(file.string(), LineAppender::Mode::Resume);
    if (!lines)
        return propagate(lines);
    return RunLog(std::move(*lines), listener);
}

void RunLog::write(std::int64_t step, const std::string &line)
{
    if (!m_file)
        return;
    m_file->append(line);
    tellOfFailure(step, m_file->flush());
}

void RunLog::sync(std::int64_t step)
{
    if (m_file)
        tellOfFailure(step, m_file->sync());
}

void RunLog::tellOfFailure(std::int64_t step, const Result<void> &written)
{
    const bool first = !written && !m_failing;
    m_failing = !written;
    if (first && m_listener->notice)
        m_listener->notice({step, "the log is kept in memory until it can be written: " + toString(written.error())});
}

void RunLog::record(const StepMetrics &metrics)
{
    write(metrics.step, line({{"kind", "step"}, {"step", metrics.step}, {"stage", metrics.stage}, {"loss", number(metrics.loss)},
                             {"gradient_norm", number(metrics.gradientNorm)}, {"learning_rate", metrics.learningRate},
                             {"tokens", metrics.tokens}, {"seconds", metrics.seconds}, {"tokens_per_second", metrics.tokensPerSecond},
                             {"skipped", metrics.skipped}}));
    if (m_listener->step)
        m_listener->step(metrics);
}

void RunLog::record(const EvaluationMetrics &metrics)
{
    write(metrics.step, line({{"kind", "evaluation"}, {"step", metrics.step}, {"tokens", metrics.tokens},
                             {"perplexity", number(metrics.perplexity)}, {"original_perplexity", number(metrics.originalPerplexity)}}));
    if (m_listener->evaluation)
        m_listener->evaluation(metrics);
}

void RunLog::record(const LayerMetrics &metrics)
{
    write(metrics.step, line({{"kind", "layers"}, {"step", metrics.step}, {"layers", metrics.layers}, {"heads", metrics.heads},
                             {"largest_activation", numbers(metrics.largestActivation)},
                             {"output_error", numbers(metrics.outputError)}, {"head_fidelity", numbers(metrics.headFidelity)}}));
    if (m_listener->layers)
        m_listener->layers(metrics);
}

void RunLog::record(const SampleMetrics &metrics)
{
    write(metrics.step, line({{"kind", "sample"}, {"step", metrics.step}, {"prompt", metrics.prompt}, {"text", metrics.text},
                             {"original_text", metrics.originalText}}));
    if (m_listener->sample)
        m_listener->sample(metrics);
}

void RunLog::record(const TrainingNotice &notice)
{
    write(notice.step, line({{"kind", "notice"}, {"step", notice.step}, {"text", notice.text}}));
    if (m_listener->notice)
        m_listener->notice(notice);
}

} // namespace lens
