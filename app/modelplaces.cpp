#include "modelplaces.h"

#include "bridge/format.h"
#include "bridge/modellibrary.h"
#include "engine/modelfolders.h"

#include <QCoreApplication>
#include <QDir>

namespace lens {

void addKnownModels(ModelLibrary &library)
{
    const QDir program(QCoreApplication::applicationDirPath());
    for (const char *place : {"../share/supralens/models", "../../../resources/models"}) {
        if (program.exists(QString::fromLatin1(place)))
            library.addFolder(QDir::cleanPath(program.filePath(QString::fromLatin1(place))));
    }
    for (const std::string &folder : standardModelFolders())
        library.addFolder(text(folder));
}

} // namespace lens
