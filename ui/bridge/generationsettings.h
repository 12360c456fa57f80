// What the generation panel sets, and the presets for it.
#pragma once

#include "engine/sampling.h"

#include <QJsonObject>
#include <QList>
#include <QString>

namespace lens {

struct GenerationSettings {
    GenerationOptions options;
    QString systemPrompt;

    bool operator==(const GenerationSettings &) const = default;
};

struct GenerationPreset {
    QString name;
    bool builtIn = false;
    SamplingOptions sampling; ///< the seed is not part of a preset
};

/// Greedy, Balanced, Creative.
QList<GenerationPreset> builtInPresets();

QJsonObject toJson(const GenerationSettings &settings);
/// What is missing or out of range keeps its default.
GenerationSettings generationSettings(const QJsonObject &json);

QJsonObject toJson(const SamplingOptions &sampling);
SamplingOptions samplingOptions(const QJsonObject &json);

} // namespace lens
