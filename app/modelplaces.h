// Where models are found without being asked for.
#pragma once

namespace lens {

class ModelLibrary;

/// Those that come with the application, then those in the engine's standard folders.
void addKnownModels(ModelLibrary &library);

} // namespace lens
