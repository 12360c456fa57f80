#include "models/writeplace.h"

#include <QDir>

namespace lens {

WritePlace writePlace(const QString &folder, SaveFormat format)
{
    const QStringList patterns{QStringLiteral("config.json"),   QStringLiteral("model_config.json"),
                               QStringLiteral("*.safetensors"), QStringLiteral("*.safetensors.index.json"),
                               QStringLiteral("*.pt"),          QStringLiteral("*.pth"),
                               QStringLiteral("*.bin"),         QStringLiteral("*.gguf")};
    const QStringList written =
        format == SaveFormat::SupraLens ? QStringList{QStringLiteral("config.json"), QStringLiteral("model.safetensors")}
                                        : QStringList{QStringLiteral("model_config.json"), QStringLiteral("epoch_0.pt")};
    const QStringList found = QDir(folder).entryList(patterns, QDir::Files, QDir::Name);
    for (const QString &file : found) {
        if (!written.contains(file))
            return {WritePlace::Kind::Taken, file};
    }
    return found.isEmpty() ? WritePlace() : WritePlace{WritePlace::Kind::Replaces, found.first()};
}

} // namespace lens
