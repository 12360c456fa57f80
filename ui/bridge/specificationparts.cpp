#include "bridge/specificationparts.h"

#include "bridge/format.h"
#include "engine/modelfolders.h"

#include <QDir>
#include <QFileInfo>

namespace lens {
namespace {

/// The one file of weights that is all a folder holds; else the folder.
QString onlyModelIn(const QString &folder)
{
    QStringList models;
    for (const QFileInfo &file : QDir(folder).entryInfoList(QDir::Files, QDir::Name)) {
        if (looksLikeModel(file))
            models.append(file.absoluteFilePath());
    }
    return models.size() == 1 && !looksLikeModel(QFileInfo(folder)) ? models.first() : folder;
}

} // namespace

SpecificationParts partsOf(const QString &specification)
{
    const qsizetype adapter = specification.lastIndexOf(QLatin1String("@adapter="));
    const qsizetype at = adapter >= 0 ? adapter : specification.lastIndexOf(QLatin1Char('@'));
    if (at < 0)
        return {specification, std::nullopt};
    return {specification.left(at), specification.mid(at + 1)};
}

QString adapterIn(const QString &how)
{
    static const QLatin1String sign("adapter=");
    return how.startsWith(sign) ? how.mid(sign.size()) : QString();
}

QString nameFromSpecification(const QString &specification)
{
    const SpecificationParts parts = partsOf(specification);
    const QFileInfo file(parts.model);
    const QString name = file.isDir() ? file.fileName() : file.completeBaseName();
    if (const QString adapter = adapterIn(parts.conversion.value_or(QString())); !adapter.isEmpty())
        return QStringLiteral("%1 @%2").arg(name, QFileInfo(adapter).completeBaseName());
    return parts.conversion ? QStringLiteral("%1 @%2").arg(name, *parts.conversion) : name;
}

QString withOptions(const QString &name, const QString &specification)
{
    const QString conversion = partsOf(specification).conversion.value_or(QString());
    if (!adapterIn(conversion).isEmpty())
        return name;
    const qsizetype options = conversion.indexOf(QLatin1Char(':'));
    if (options < 0)
        return name;
    const QString chosen = conversion.mid(options).replace(QLatin1Char(':'), QLatin1Char(' '));
    return name.endsWith(QLatin1Char(')')) ? name.chopped(1) + chosen + QLatin1Char(')') : name + chosen;
}

void describeConversion(ModelInfo &info, const QString &specification)
{
    const std::optional<QString> conversion = partsOf(specification).conversion;
    if (!conversion)
        return;
    const Result<ConvertOptions> options = parseConversion(conversion->toStdString());
    if (!options)
        return;
    info.untrained = true;
    info.fingerprint.clear();
    if (!options->layers.empty()) {
        info.mixer = "hybrid";
        return;
    }
    info.mixer = options->target == ConversionTarget::Supra ? "supra"
                 : options->target == ConversionTarget::T2r ? "t2r"
                                                            : "linear";
    info.kvBytesPerToken = 0;
}

bool looksLikeModel(const QFileInfo &file)
{
    static const QStringList suffixes{QStringLiteral("gguf"), QStringLiteral("safetensors"), QStringLiteral("pt"),
                                      QStringLiteral("pth")};
    if (file.isDir()) {
        const QDir folder(file.absoluteFilePath());
        return folder.exists(QStringLiteral("config.json")) || folder.exists(QStringLiteral("model_config.json"))
               || isAdapter(file.absoluteFilePath().toStdString());
    }
    if (file.suffix() == QLatin1String("bin"))
        return !file.fileName().startsWith(QLatin1String("tok"));
    return suffixes.contains(file.suffix());
}

QString withAbsolutePath(const QString &specification)
{
    const QString name = partsOf(specification).model;
    const Result<std::string> found = resolveModel(name.toStdString(), standardModelFolders());
    if (!found)
        return specification;
    const QString path = QFileInfo(text(*found)).absoluteFilePath();
    return QDir::cleanPath(QFileInfo(path).isDir() ? onlyModelIn(path) : path) + specification.mid(name.size());
}

} // namespace lens
