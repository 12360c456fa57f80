#include "bridge/generationsettings.h"

#include <QCoreApplication>
#include <QJsonArray>

#include <algorithm>

namespace lens {
namespace {

struct Tr {
    Q_DECLARE_TR_FUNCTIONS(GenerationPresets)
};

double number(const QJsonObject &json, const char *key, double otherwise, double low, double high)
{
    return std::clamp(json[QLatin1String(key)].toDouble(otherwise), low, high);
}

} // namespace

QList<GenerationPreset> builtInPresets()
{
    GenerationPreset greedy{Tr::tr("Greedy"), true, {}};
    GenerationPreset balanced{Tr::tr("Balanced"), true, {}};
    balanced.sampling.temperature = 0.7;
    balanced.sampling.topK = 40;
    balanced.sampling.topP = 0.9;
    balanced.sampling.repetitionPenalty = 1.1;
    GenerationPreset creative{Tr::tr("Creative"), true, {}};
    creative.sampling.temperature = 1.1;
    creative.sampling.minP = 0.05;
    creative.sampling.repetitionPenalty = 1.1;
    return {greedy, balanced, creative};
}

QJsonObject toJson(const SamplingOptions &sampling)
{
    return {{QStringLiteral("temperature"), sampling.temperature},
            {QStringLiteral("topK"), sampling.topK},
            {QStringLiteral("topP"), sampling.topP},
            {QStringLiteral("minP"), sampling.minP},
            {QStringLiteral("repetitionPenalty"), sampling.repetitionPenalty},
            {QStringLiteral("seed"), QString::number(sampling.seed)}};
}

SamplingOptions samplingOptions(const QJsonObject &json)
{
    SamplingOptions sampling;
    sampling.temperature = number(json, "temperature", 0, 0, 5);
    sampling.topK = int(number(json, "topK", 0, 0, 1000));
    sampling.topP = number(json, "topP", 1, 0, 1);
    sampling.minP = number(json, "minP", 0, 0, 1);
    sampling.repetitionPenalty = number(json, "repetitionPenalty", 1, 0.5, 2);
    sampling.seed = json[QLatin1String("seed")].toString().toULongLong();
    return sampling;
}

QJsonObject toJson(const GenerationSettings &settings)
{
    QJsonArray stops;
    for (const std::string &stop : settings.options.stopStrings)
        stops.append(QString::fromStdString(stop));
    return {{QStringLiteral("sampling"), toJson(settings.options.sampling)},
            {QStringLiteral("maxTokens"), qint64(settings.options.maxTokens)},
            {QStringLiteral("stopStrings"), stops},
            {QStringLiteral("systemPrompt"), settings.systemPrompt}};
}

GenerationSettings generationSettings(const QJsonObject &json)
{
    GenerationSettings settings;
    settings.options.sampling = samplingOptions(json[QLatin1String("sampling")].toObject());
    settings.options.maxTokens = qint64(number(json, "maxTokens", 256, 1, 1 << 20));
    for (const QJsonValue &stop : json[QLatin1String("stopStrings")].toArray())
        settings.options.stopStrings.push_back(stop.toString().toStdString());
    settings.systemPrompt = json[QLatin1String("systemPrompt")].toString();
    return settings;
}

} // namespace lens
