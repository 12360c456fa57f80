#include "mambaarchitecture.h"
#include "model/plugin.h"

SUPRALENS_PLUGIN("Mamba", "1.0", "Mamba-1 and Falcon Mamba, selective state-space models")
{
    registry.add(std::make_unique<lens::mamba::MambaArchitecture>());
}
