#include "engine/decoding.h"

#include "engine/devicedecoding.h"
#include "engine/hostdecoding.h"

namespace lens {

ChooseOn placeToChoose(const at::Device &device)
{
    // Apple's GPUs have no float64, in which tokens are drawn.
    return device.is_cuda() ? ChooseOn::Device : ChooseOn::Host;
}

std::unique_ptr<Decoding> makeDecoding(ChooseOn where, DecodingParts parts)
{
    if (where == ChooseOn::Device)
        return std::make_unique<DeviceDecoding>(std::move(parts));
    return std::make_unique<HostDecoding>(std::move(parts));
}

} // namespace lens
