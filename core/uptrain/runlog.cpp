#include "uptrain/runlog.h"

#include "checkpoint/writer.h"

#include <cmath>
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
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
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

} // namespace

Result<RunLog> RunLog::open(const std::filesystem::path &file, const TrainingListener &listener, std::int64_t upTo)
{
    if (auto written = writeFileAtomically(file, keptLines(file, upTo)); !written)
        return propagate(written);
    std::ofstream stream(file, std::ios::app);
    if (!stream)
        return fail(ErrorCode::Io, "the log cannot be written", file.string());
    return RunLog(std::move(stream), listener);
}

void RunLog::record(const StepMetrics &metrics)
{
    m_stream << line({{"kind", "step"}, {"step", metrics.step}, {"stage", metrics.stage}, {"loss", number(metrics.loss)},
                      {"gradient_norm", number(metrics.gradientNorm)}, {"learning_rate", metrics.learningRate},
                      {"tokens", metrics.tokens}, {"seconds", metrics.seconds}, {"tokens_per_second", metrics.tokensPerSecond},
                      {"skipped", metrics.skipped}})
             << std::flush;
    if (m_listener->step)
        m_listener->step(metrics);
}

void RunLog::record(const EvaluationMetrics &metrics)
{
    m_stream << line({{"kind", "evaluation"}, {"step", metrics.step}, {"tokens", metrics.tokens},
                      {"perplexity", number(metrics.perplexity)}, {"original_perplexity", number(metrics.originalPerplexity)}})
             << std::flush;
    if (m_listener->evaluation)
        m_listener->evaluation(metrics);
}

void RunLog::record(const LayerMetrics &metrics)
{
    m_stream << line({{"kind", "layers"}, {"step", metrics.step}, {"layers", metrics.layers}, {"heads", metrics.heads},
                      {"largest_activation", numbers(metrics.largestActivation)},
                      {"output_error", numbers(metrics.outputError)}, {"head_fidelity", numbers(metrics.headFidelity)}})
             << std::flush;
    if (m_listener->layers)
        m_listener->layers(metrics);
}

void RunLog::record(const SampleMetrics &metrics)
{
    m_stream << line({{"kind", "sample"}, {"step", metrics.step}, {"prompt", metrics.prompt}, {"text", metrics.text},
                      {"original_text", metrics.originalText}})
             << std::flush;
    if (m_listener->sample)
        m_listener->sample(metrics);
}

void RunLog::record(const TrainingNotice &notice)
{
    m_stream << line({{"kind", "notice"}, {"step", notice.step}, {"text", notice.text}}) << std::flush;
    if (m_listener->notice)
        m_listener->notice(notice);
}

} // namespace lens
