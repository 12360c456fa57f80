#include "modelplaces.h"

#include "bridge/format.h"
#include "bridge/modellibrary.h"
#include "engine/modelfolders.h"

namespace lens {

void addKnownModels(ModelLibrary &library)
{
    for (const std::string &folder : standardModelFolders())
        library.addFolder(text(folder));
}

} // namespace lens
