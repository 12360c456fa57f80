#include "store/jsonforms.h"

#include <cmath>
#include <limits>

namespace lens {

namespace {

using nlohmann::json;

template <class T>
void take(const json &object, const char *key, T &value)
{
    if (const auto found = object.find(key); found != object.end())
        value = found->get<T>();
}

void takeNumber(const json &object, const char *key, double &value)
{
    if (const auto found = object.find(key); found != object.end())
        value = numberFromJson(*found);
}

template <class Body>
auto guarded(const json &source, Body &&body) -> Result<decltype(body())>
{
    try {
        if (!source.is_object())
            return fail(ErrorCode::Malformed, "an object is expected");
        return body();
    } catch (const json::exception &exception) {
        return fail(ErrorCode::Malformed, exception.what());
    }
}

json layersToJson(const std::vector<LayerInfo> &layers)
{
    json list = json::array();
    for (const LayerInfo &layer : layers) {
        json gamma = json::array();
        for (const double value : layer.gamma)
            gamma.push_back(numberToJson(value));
        list.push_back({{"mixer", layer.mixer}, {"gamma", gamma}, {"sliding_window", layer.slidingWindow}});
    }
    return list;
}

std::vector<LayerInfo> layersFromJson(const json &list)
{
    std::vector<LayerInfo> layers;
    for (const json &item : list) {
        LayerInfo layer;
        take(item, "mixer", layer.mixer);
        take(item, "sliding_window", layer.slidingWindow);
        if (const auto gamma = item.find("gamma"); gamma != item.end()) {
            for (const json &value : *gamma)
                layer.gamma.push_back(numberFromJson(value));
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

/// Every plain field of ModelInfo under its name, for writing and for reading alike.
template <class Info, class Field>
void eachField(Info &info, Field &&field)
{
    field("name", info.name);
    field("path", info.path);
    field("format", info.format);
    field("architecture", info.architecture);
    field("mixer", info.mixer);
    field("storage", info.storage);
    field("fingerprint", info.fingerprint);
    field("licence", info.licence);
    field("origin", info.origin);
    field("untrained", info.untrained);
    field("layer_count", info.layerCount);
    field("hidden_size", info.hiddenSize);
    field("heads", info.heads);
    field("kv_heads", info.kvHeads);
    field("key_dim", info.keyDim);
    field("value_dim", info.valueDim);
    field("feed_forward", info.feedForward);
    field("vocabulary", info.vocabulary);
    field("trained_context", info.trainedContext);
    field("parameters", info.parameters);
    field("file_bytes", info.fileBytes);
    field("weight_bytes", info.weightBytes);
    field("kv_bytes_per_token", info.kvBytesPerToken);
    field("state_bytes", info.stateBytes);
    field("device", info.device);
    field("device_note", info.deviceNote);
    field("dtype", info.dtype);
    field("tokenizer", info.tokenizer);
    field("chat_template", info.chatTemplate);
    field("chat_template_note", info.chatTemplateNote);
}

} // namespace

json numberToJson(double value)
{
    if (std::isnan(value))
        return "nan";
    if (std::isinf(value))
        return value > 0 ? "inf" : "-inf";
    return value;
}

double numberFromJson(const json &value)
{
    if (value == "nan")
        return std::numeric_limits<double>::quiet_NaN();
    if (value == "inf")
        return std::numeric_limits<double>::infinity();
    if (value == "-inf")
        return -std::numeric_limits<double>::infinity();
    return value.get<double>();
}

json toJson(const GenerationOptions &options)
{
    const SamplingOptions &sampling = options.sampling;
    return {{"temperature", numberToJson(sampling.temperature)},
            {"top_k", sampling.topK},
            {"top_p", numberToJson(sampling.topP)},
            {"min_p", numberToJson(sampling.minP)},
            {"repetition_penalty", numberToJson(sampling.repetitionPenalty)},
            {"frequency_penalty", numberToJson(sampling.frequencyPenalty)},
            {"presence_penalty", numberToJson(sampling.presencePenalty)},
            {"penalty_window", sampling.penaltyWindow},
            {"logit_bias",
             [&] {
                 json list = json::array();
                 for (const auto &[id, bias] : sampling.logitBias)
                     list.push_back(json::array({id, numberToJson(bias)}));
                 return list;
             }()},
            {"seed", sampling.seed},
            {"max_tokens", options.maxTokens},
            {"stop_strings", options.stopStrings},
            {"alternatives", options.alternatives},
            {"ignore_end_of_text", options.ignoreEndOfText}};
}

Result<GenerationOptions> optionsFromJson(const json &source)
{
    return guarded(source, [&] {
        GenerationOptions options;
        SamplingOptions &sampling = options.sampling;
        takeNumber(source, "temperature", sampling.temperature);
        take(source, "top_k", sampling.topK);
        takeNumber(source, "top_p", sampling.topP);
        takeNumber(source, "min_p", sampling.minP);
        takeNumber(source, "repetition_penalty", sampling.repetitionPenalty);
        takeNumber(source, "frequency_penalty", sampling.frequencyPenalty);
        takeNumber(source, "presence_penalty", sampling.presencePenalty);
        take(source, "penalty_window", sampling.penaltyWindow);
        if (const auto biases = source.find("logit_bias"); biases != source.end()) {
            for (const json &pair : *biases)
                sampling.logitBias.emplace_back(pair.at(0).get<std::int32_t>(), numberFromJson(pair.at(1)));
        }
        take(source, "seed", sampling.seed);
        take(source, "max_tokens", options.maxTokens);
        take(source, "stop_strings", options.stopStrings);
        take(source, "alternatives", options.alternatives);
        take(source, "ignore_end_of_text", options.ignoreEndOfText);
        return options;
    });
}

json toJson(const ModelInfo &info)
{
    json object;
    eachField(info, [&](const char *key, const auto &value) { object[key] = value; });
    object["layers"] = layersToJson(info.layers);
    return object;
}

Result<ModelInfo> modelInfoFromJson(const json &source)
{
    return guarded(source, [&] {
        ModelInfo info;
        eachField(info, [&](const char *key, auto &value) { take(source, key, value); });
        if (const auto layers = source.find("layers"); layers != source.end())
            info.layers = layersFromJson(*layers);
        return info;
    });
}

std::string dumpJson(const json &value, int indent)
{
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

Result<json> parseJson(std::string_view text)
{
    try {
        return json::parse(text);
    } catch (const json::exception &exception) {
        return fail(ErrorCode::Malformed, std::string("this is not valid JSON: ") + exception.what());
    }
}

} // namespace lens
