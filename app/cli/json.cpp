#include "cli/json.h"

#include <charconv>
#include <cmath>

namespace lens::cli {

Json number(float value)
{
    if (!std::isfinite(value))
        return nullptr;
    char buffer[32];
    const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof buffer, value);
    double widened = 0;
    std::from_chars(buffer, end.ptr, widened);
    return widened;
}

Json toJson(const ModelInfo &info)
{
    Json layers = Json::array();
    for (const LayerInfo &layer : info.layers) {
        Json entry = {{"mixer", layer.mixer}};
        if (!layer.gamma.empty())
            entry["gamma"] = layer.gamma;
        if (layer.slidingWindow > 0)
            entry["sliding_window"] = layer.slidingWindow;
        layers.push_back(std::move(entry));
    }
    return {{"name", info.name},
            {"path", info.path},
            {"format", info.format},
            {"architecture", info.architecture},
            {"mixer", info.mixer},
            {"storage", info.storage},
            {"fingerprint", info.fingerprint},
            {"licence", info.licence},
            {"origin", info.origin},
            {"untrained", info.untrained},
            {"base", info.base},
            {"layers", info.layerCount},
            {"hidden_size", info.hiddenSize},
            {"heads", info.heads},
            {"kv_heads", info.kvHeads},
            {"key_dim", info.keyDim},
            {"value_dim", info.valueDim},
            {"feed_forward", info.feedForward},
            {"vocabulary", info.vocabulary},
            {"trained_context", info.trainedContext},
            {"parameters", info.parameters},
            {"file_bytes", info.fileBytes},
            {"weight_bytes", info.weightBytes},
            {"kv_bytes_per_token", info.kvBytesPerToken},
            {"state_bytes", info.stateBytes},
            {"device", info.device},
            {"device_note", info.deviceNote},
            {"dtype", info.dtype},
            {"quantisation_error", info.quantisationError},
            {"tokenizer", info.tokenizer},
            {"chat_template", info.chatTemplate},
            {"chat_template_note", info.chatTemplateNote},
            {"layer_details", std::move(layers)}};
}

Json toJson(const TokenEvent &event)
{
    Json alternatives = Json::array();
    for (const TokenAlternative &alternative : event.alternatives)
        alternatives.push_back(
            {{"id", alternative.id}, {"text", alternative.text}, {"logprob", number(alternative.logprob)}});
    return {{"id", event.id},
            {"text", event.text},
            {"position", event.position},
            {"logprob", number(event.logprob)},
            {"alternatives", std::move(alternatives)},
            {"seconds", event.seconds},
            {"state_bytes", event.stateBytes}};
}

Json toJson(const GenerationResult &result)
{
    const double prefillRate =
        result.prefillSeconds > 0
            ? static_cast<double>(result.promptIds.size() - static_cast<std::size_t>(result.reusedTokens)) /
                  result.prefillSeconds
            : 0;
    return {{"prompt_ids", result.promptIds},
            {"ids", result.ids},
            {"text", result.text},
            {"stop_reason", name(result.reason)},
            {"state_bytes", result.stateBytes},
            {"timings",
             {{"prefill_seconds", result.prefillSeconds},
              {"prefill_tokens_per_second", prefillRate},
              {"first_token_seconds", result.firstTokenSeconds},
              {"decode_seconds", result.decodeSeconds},
              {"tokens_per_second", result.tokensPerSecond()},
              {"reused_tokens", result.reusedTokens}}}};
}

Json toJson(const GenerationOptions &options)
{
    const SamplingOptions &sampling = options.sampling;
    return {{"max_tokens", options.maxTokens},
            {"temperature", sampling.temperature},
            {"top_k", sampling.topK},
            {"top_p", sampling.topP},
            {"min_p", sampling.minP},
            {"repeat_penalty", sampling.repetitionPenalty},
            {"frequency_penalty", sampling.frequencyPenalty},
            {"presence_penalty", sampling.presencePenalty},
            {"penalty_window", sampling.penaltyWindow},
            {"seed", sampling.seed},
            {"stop", options.stopStrings},
            {"ignore_eos", options.ignoreEndOfText}};
}

} // namespace lens::cli
