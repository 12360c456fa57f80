#include "modelplaces.h"

#include "bridge/modellibrary.h"

#include <QCoreApplication>
#include <QDir>
#include <QStandardPaths>

namespace lens {

QString modelsFolder()
{
    const QString wished = qEnvironmentVariable("SUPRALENS_MODELS");
    if (!wished.isEmpty())
        return wished;
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + QStringLiteral("/supralens/models");
}

void addKnownModels(ModelLibrary &library)
{
    const QDir program(QCoreApplication::applicationDirPath());
    for (const char *place : {"../share/supralens/models", "../../../resources/models"}) {
        if (program.exists(QString::fromLatin1(place)))
            library.addFolder(QDir::cleanPath(program.filePath(QString::fromLatin1(place))));
    }
    library.addFolder(modelsFolder());
}

} // namespace lens
