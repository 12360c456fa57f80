#include "models/modelfacts.h"

#include "bridge/format.h"

#include <QCoreApplication>
#include <QLocale>

#include <algorithm>
#include <cmath>

namespace lens {
namespace {

struct Tr {
    Q_DECLARE_TR_FUNCTIONS(ModelFacts)
};

QString count(std::int64_t value)
{
    return QLocale().toString(qint64(value));
}

/// "0.50 … 0.996 (half-life 1 … 173 tokens)" over all layers.
QString decayRange(const ModelInfo &info)
{
    double low = 1, high = 0;
    for (const LayerInfo &layer : info.layers) {
        for (const std::vector<double> &gammas : {layer.gamma, layer.channelGamma}) {
            for (const double gamma : gammas) {
                low = std::min(low, gamma);
                high = std::max(high, gamma);
            }
        }
    }
    if (std::any_of(info.layers.begin(), info.layers.end(), [](const LayerInfo &layer) { return layer.decayVaries; }))
        return Tr::tr("depends on the input");
    if (high <= 0)
        return {};
    if (low >= 1)
        return Tr::tr("none");
    const auto halfLife = [](double gamma) {
        return gamma >= 1 ? QStringLiteral("∞") : QLocale().toString(std::log(0.5) / std::log(gamma), 'f', 1);
    };
    return Tr::tr("γ %1 … %2, half-life %3 … %4 tokens")
        .arg(QLocale().toString(low, 'g', 4), QLocale().toString(high, 'g', 4), halfLife(low), halfLife(high));
}

} // namespace

QList<std::pair<QString, QString>> modelFacts(const ModelInfo &info)
{
    QList<std::pair<QString, QString>> facts;
    const auto add = [&facts](const QString &label, const QString &value) {
        if (!value.isEmpty())
            facts.append({label, value});
    };
    const auto number = [](std::int64_t value) { return value > 0 ? count(value) : QString(); };
    add(Tr::tr("Mixer"), mixerName(info.mixer));
    add(Tr::tr("Architecture"), text(info.architecture));
    add(Tr::tr("Parameters"),
        info.parameters
            ? QStringLiteral("%1 (%2)").arg(formatCount(info.parameters), QLocale().toString(quint64(info.parameters)))
            : QString());
    add(Tr::tr("Layers"), number(info.layerCount));
    add(Tr::tr("Heads"), !info.headMeaning.empty() ? Tr::tr("%1, each %2").arg(info.heads).arg(text(info.headMeaning))
                         : info.heads ? Tr::tr("%1 query, %2 key/value").arg(info.heads).arg(info.kvHeads) : QString());
    add(Tr::tr("Head size"), info.keyDim ? Tr::tr("%1 key, %2 value").arg(info.keyDim).arg(info.valueDim) : QString());
    add(Tr::tr("Hidden size"), number(info.hiddenSize));
    add(Tr::tr("Feed-forward size"), number(info.feedForward));
    add(Tr::tr("Decay"), decayRange(info));
    for (const Undefined &missing : info.undefined)
        add(Tr::tr("No %1").arg(text(missing.quantity)),
            Tr::tr("not defined for this family, because %1").arg(text(missing.reason)));
    add(Tr::tr("Vocabulary"), number(info.vocabulary));
    add(Tr::tr("Trained context"),
        info.trainedContext ? Tr::tr("%1 tokens").arg(count(info.trainedContext)) : QString());
    add(Tr::tr("Tokenizer"), info.tokenizer.empty() ? Tr::tr("none beside the weights: it cannot read prompts") : text(info.tokenizer));
    add(Tr::tr("Chat template"), info.chatTemplate.empty() ? text(info.chatTemplateNote) : text(info.chatTemplate));
    add(Tr::tr("Weights in memory"), info.weightBytes ? formatBytes(info.weightBytes) : QString());
    add(Tr::tr("KV cache"),
        info.kvBytesPerToken ? Tr::tr("grows %1 per token").arg(formatBytes(info.kvBytesPerToken)) : QString());
    add(Tr::tr("Recurrent state"),
        info.stateBytes ? Tr::tr("%1, constant").arg(formatBytes(info.stateBytes)) : QString());
    add(Tr::tr("Device"), info.deviceNote.empty()
                              ? text(info.device)
                              : QStringLiteral("%1 (%2)").arg(text(info.device), text(info.deviceNote)));
    add(Tr::tr("Computes in"), text(computedIn(info)));
    add(Tr::tr("Format"), text(info.format));
    add(Tr::tr("Stored as"), text(info.storage));
    add(Tr::tr("File size"), info.fileBytes ? formatBytes(info.fileBytes) : QString());
    add(Tr::tr("Fingerprint"), text(info.fingerprint));
    add(Tr::tr("Adapter to"), text(info.base));
    add(Tr::tr("Origin"), text(info.origin));
    add(Tr::tr("Licence"), text(info.licence));
    add(Tr::tr("Opened from"), text(info.path));
    return facts;
}

} // namespace lens
