// Where models are found without being asked for.
#pragma once

#include <QString>

namespace lens {

class ModelLibrary;

/// $SUPRALENS_MODELS, else the user's data folder.
QString modelsFolder();

/// Those that come with the application, then those in modelsFolder().
void addKnownModels(ModelLibrary &library);

} // namespace lens
